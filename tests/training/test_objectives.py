"""Objectives: each term is the loss called by hand on the network's outputs, with its weight."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from affekt import losses
from affekt.errors import RecipeError, UsageError
from affekt.networks.network import Network
from affekt.recipe.objectives import Classify, Logistic
from affekt.recipe.sections import Recipe
from affekt.training.objectives import (
    LabelAwareObjective,
    LogitLoss,
    Objective,
    RetrofitObjective,
    Terms,
    build_objective,
    total,
)
from affekt.training.objectives import (
    label_aware as label_aware_module,
)
from affekt.training.objectives.base import Inputs
from training.toys import SINGLE, TARGETS, TEXTS, batch_of, network, recipe


def made(
    spec: dict[str, Any], main: Network, *, single: bool = False, psi: Network | None = None
) -> Objective:
    objective: Recipe = recipe(objective=spec)
    chosen: Any = objective.objective
    loss = LogitLoss(chosen if hasattr(chosen, "loss") else Classify(), single_label=single)
    return build_objective(chosen, main, loss, psi)


def terms_of(spec: dict[str, Any], main: Network, targets: Tensor = TARGETS, **options: Any) -> Terms:
    objective = made(spec, main, **options).train()
    return objective(inputs_of(objective), targets)  # type: ignore[no-any-return]


def inputs_of(objective: Objective, view: list[str] | None = None) -> Inputs:
    made_inputs: Inputs = {}
    for name, encoder in objective.encoders().items():
        texts = (view or TEXTS) if name == "view" else TEXTS
        made_inputs[name] = encoder.collate(encoder.tokenize(texts))
    return made_inputs


def vectors_of(main: Network) -> Tensor:
    return main.encode(batch_of(main)).vectors


def close(terms: Terms, expected: dict[str, Tensor]) -> None:
    assert list(terms) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=name)
    torch.testing.assert_close(total(terms), torch.stack(list(expected.values())).sum())


# --- classification


def test_several_labels_are_learned_by_binary_cross_entropy() -> None:
    main = network()
    logits = main(batch_of(main))
    expected = functional.binary_cross_entropy_with_logits(logits, TARGETS)
    close(terms_of({"kind": "classify"}, main), {"bce": expected})


def test_one_label_is_learned_by_cross_entropy() -> None:
    main = network()
    expected = functional.cross_entropy(main(batch_of(main)), SINGLE.argmax(1))
    close(terms_of({"kind": "classify"}, main, SINGLE, single=True), {"cross-entropy": expected})


@pytest.mark.parametrize("kind", ["cross-entropy", "bce", "focal", "asymmetric"])
def test_a_named_loss_goes_before_the_automatic_choice(kind: str) -> None:
    main = network()
    expected = losses.classification_loss(main(batch_of(main)), SINGLE, kind=kind)
    close(terms_of({"kind": "classify", "loss": kind}, main, SINGLE, single=True), {kind: expected})


def test_smoothing_and_label_weights_reach_the_loss() -> None:
    weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    spec = Classify(smoothing=0.1)
    logits = torch.randn(6, 4, dtype=torch.float64)
    got = LogitLoss(spec, single_label=True, label_weights=weights)(logits, SINGLE)
    expected = losses.classification_loss(
        logits, SINGLE, kind="cross-entropy", label_weights=weights.double(), smoothing=0.1
    )
    close(got, {"cross-entropy": expected})
    plain = LogitLoss(Classify(), single_label=True)(logits, SINGLE)
    assert not torch.allclose(plain["cross-entropy"], got["cross-entropy"])


def test_the_correlation_term_takes_its_share_from_the_other() -> None:
    main = network()
    logits = main(batch_of(main))
    bce = losses.classification_loss(logits, TARGETS, kind="bce")
    correlation = losses.label_correlation(logits, TARGETS)
    expected = {"bce": 0.8 * bce, "correlation": 0.2 * correlation}
    close(terms_of({"kind": "classify", "correlation": 0.2}, main), expected)


@pytest.mark.parametrize("form", ["intra", "inter"])
def test_grouped_correlation_reads_the_groups_and_needs_them(form: str) -> None:
    groups = torch.tensor([0, 0, 1, 1])
    spec = Classify.model_validate({"correlation": 0.5, "correlation_form": form})
    logits = torch.randn(6, 4, dtype=torch.float64)
    grouped = losses.intra_group_correlation if form == "intra" else losses.inter_group_correlation
    got = LogitLoss(spec, single_label=False, groups=groups)(logits, TARGETS)
    torch.testing.assert_close(got["correlation"], 0.5 * grouped(logits, TARGETS, groups))
    with pytest.raises(RecipeError, match="hierarchy"):
        LogitLoss(spec, single_label=False)


def test_labels_on_the_same_side_can_be_led_together() -> None:
    spec = Classify.model_validate({"correlation": 0.5, "correlation_form": "same-side"})
    logits = torch.randn(6, 4, dtype=torch.float64)
    got = LogitLoss(spec, single_label=False)(logits, TARGETS)
    torch.testing.assert_close(got["correlation"], 0.5 * losses.same_side_correlation(logits, TARGETS))


def test_one_softmax_over_several_labels_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"objective\.loss = 'cross-entropy': is for one label per text"):
        LogitLoss(Classify(loss="cross-entropy"), single_label=False)


def test_the_options_of_focal_and_asymmetric_reach_the_loss() -> None:
    logits = torch.randn(6, 4, dtype=torch.float64)
    for told, focus in (
        ({"loss": "focal", "gamma": 0.5}, losses.Focus(gamma=0.5)),
        ({"loss": "asymmetric", "gamma_negative": 2.0, "clip": 0.2}, losses.Focus(2.0, 2.0, 1.0, 0.2)),
    ):
        got = LogitLoss(Classify.model_validate(told), single_label=False)(logits, TARGETS)
        expected = losses.classification_loss(logits, TARGETS, kind=told["loss"], focus=focus)
        close(got, {told["loss"]: expected})
        plain = losses.classification_loss(logits, TARGETS, kind=told["loss"])
        assert not torch.allclose(expected, plain)


# --- contrast


def test_drawn_pairs_are_the_halves_of_the_batch() -> None:
    main = network(projection=True, head=False)
    assert main.projection is not None
    points = main.projection(vectors_of(main))
    same = torch.tensor([(TARGETS[i] * TARGETS[i + 3]).sum() > 0 for i in range(3)]).double()
    assert 0 < same.sum() < 3
    expected = losses.pair_contrastive(points[:3], points[3:], same, margin=1.2)
    close(terms_of({"kind": "contrastive", "margin": 1.2}, main), {"margin": expected})


def test_pairs_within_the_batch_are_all_pairs() -> None:
    main = network(projection=True, head=False)
    assert main.projection is not None
    expected = losses.margin_contrastive(main.projection(vectors_of(main)), TARGETS, margin=1.5)
    close(terms_of({"kind": "contrastive", "pairs": "in-batch"}, main), {"margin": expected})


def test_without_labels_the_two_views_are_two_passes() -> None:
    main = network(projection=True, head=False, dropout=0.5).train()
    assert main.projection is not None
    objective = made({"kind": "contrastive-unsupervised", "temperature": 0.1}, main).train()
    torch.manual_seed(3)
    left, right = (main.projection(vectors_of(main)) for _ in range(2))
    assert not torch.equal(left, right)
    torch.manual_seed(3)
    got = objective(inputs_of(objective), TARGETS)
    expected = losses.unsupervised_contrastive(left, right, temperature=0.1)
    close(got, {"contrastive": expected})


def test_without_labels_the_targets_are_not_read() -> None:
    main = network(projection=True, head=False)
    spec = {"kind": "contrastive-unsupervised"}
    first, second = terms_of(spec, main), terms_of(spec, main, torch.zeros_like(TARGETS))
    assert torch.equal(first["contrastive"], second["contrastive"])


def test_supervised_contrast_stands_alone_where_classification_weighs_nothing() -> None:
    main = network(projection=True, head=False)
    assert main.projection is not None
    expected = losses.supervised_contrastive(main.projection(vectors_of(main)), TARGETS, temperature=0.2)
    spec = {"kind": "supervised-contrastive", "temperature": 0.2}
    close(terms_of(spec, main), {"contrastive": expected})


def test_supervised_contrast_beside_classification_weighs_both() -> None:
    main = network(projection=True)
    assert main.projection is not None
    points, logits = main.projection(vectors_of(main)), main(batch_of(main))
    expected = {
        "contrastive": 0.3
        * losses.supervised_contrastive(points, TARGETS, temperature=0.1, overlap="jaccard"),
        "bce": 0.7 * losses.classification_loss(logits, TARGETS, kind="bce"),
    }
    spec = {"kind": "supervised-contrastive", "contrastive": 0.3, "classification": 0.7, "overlap": "jaccard"}
    close(terms_of(spec, main), expected)


def test_without_a_projection_the_encoders_own_space_is_contrasted() -> None:
    main = network(head=False)
    expected = losses.supervised_contrastive(vectors_of(main), TARGETS, temperature=0.1)
    close(terms_of({"kind": "supervised-contrastive", "projection": None}, main), {"contrastive": expected})


def test_dropout_views_make_two_rows_of_every_text_and_classify_the_first() -> None:
    main = network(dropout=0.4).train()
    assert main.head is not None
    spec = {"kind": "supervised-contrastive", "views": "dropout", "projection": None, "classification": 1.0}
    objective = made(spec, main).train()
    torch.manual_seed(5)
    first = main.encode(batch_of(main))
    second = main.encode(batch_of(main)).vectors
    contrast = losses.supervised_contrastive(
        torch.cat([first.vectors, second]), torch.cat([TARGETS, TARGETS]), temperature=0.1
    )
    bce = losses.classification_loss(main.head(first), TARGETS, kind="bce")
    torch.manual_seed(5)
    close(objective(inputs_of(objective), TARGETS), {"contrastive": contrast, "bce": bce})


# --- label-aware


def label_aware(psi: Network | None = None, main: Network | None = None, **spec: Any) -> LabelAwareObjective:
    objective = made({"kind": "label-aware", **spec}, main or network(1), psi=psi or network(2))
    assert isinstance(objective, LabelAwareObjective)
    return objective.train()


def contrast_by_hand(objective: LabelAwareObjective, second: Tensor | None = None, **options: Any) -> Tensor:
    first = vectors_of(objective.network)
    rows = functional.normalize(torch.cat([first, first if second is None else second]), dim=1)
    weights = objective.weighting(batch_of(objective.weighting)).softmax(1)
    assert len(rows) == 2 * len(TEXTS)  # K texts become 2K
    targets, weights = torch.cat([TARGETS, TARGETS]), torch.cat([weights, weights])
    return losses.label_aware_contrastive(rows, targets, weights, **options)


@pytest.mark.parametrize("positive_weight", ["anchor", "positive", "one"])
def test_label_aware_terms_are_both_classifiers_and_the_weighted_contrast(positive_weight: str) -> None:
    objective = label_aware(balance=0.7, temperature=0.4, positive_weight=positive_weight)
    phi, psi = objective.network, objective.weighting
    contrast = contrast_by_hand(objective, temperature=0.4, positive_weight=positive_weight)
    expected = {
        "bce": 0.7 * losses.classification_loss(phi(batch_of(phi)), TARGETS, kind="bce"),
        "weighting bce": 0.7 * losses.classification_loss(psi(batch_of(psi)), TARGETS, kind="bce"),
        "label-aware": 0.3 * contrast,
    }
    close(objective(inputs_of(objective), TARGETS), expected)


def test_the_contrast_is_taken_in_float32_where_the_networks_run_in_bfloat16(monkeypatch) -> None:
    seen: list[Tensor] = []
    monkeypatch.setattr(
        label_aware_module, "label_aware_contrastive", lambda h, z, w, **_: seen.extend((h, w)) or h.sum()
    )
    objective = label_aware().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        objective(inputs_of(objective), TARGETS.float())
    rows, weights = seen
    assert rows.dtype == weights.dtype == torch.float32
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows)), rtol=0, atol=1e-6)
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)), rtol=0, atol=1e-6)


def test_a_weighting_temperature_softens_the_weights_until_all_labels_weigh_alike() -> None:
    def weights_at(temperature: float) -> Tensor:
        objective = label_aware(weighting_temperature=temperature)
        return seen_weights(objective, inputs_of(objective))

    psi = network(2)
    logits = psi(batch_of(psi))
    for temperature in (0.5, 1.0, 8.0):
        torch.testing.assert_close(
            weights_at(temperature),
            (logits / temperature).exp() / (logits / temperature).exp().sum(1, keepdim=True),
        )
    torch.testing.assert_close(weights_at(1e9), torch.full_like(logits, 1 / logits.shape[1]))


def seen_weights(objective: LabelAwareObjective, inputs: Any) -> Tensor:
    """What the loss is given as the weights of the first views."""
    seen: list[Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            label_aware_module, "label_aware_contrastive", lambda h, z, w, **_: seen.append(w) or h.sum()
        )
        objective(inputs, TARGETS)
    return seen[0][: len(TEXTS)]


def test_with_a_balance_of_one_there_is_no_contrast() -> None:
    objective = label_aware(balance=1.0)
    assert set(objective(inputs_of(objective), TARGETS)) == {"bce", "weighting bce"}


def test_the_contrast_comes_in_after_the_warm_up() -> None:
    objective = label_aware(warmup_epochs=1.5)
    inputs = inputs_of(objective)
    for progress, there in ((0.0, False), (1.49, False), (1.5, True), (2.0, True)):
        objective.start_step(progress)
        assert ("label-aware" in objective(inputs, TARGETS)) is there, progress
    assert "label-aware" in label_aware()(inputs, TARGETS)


@pytest.mark.parametrize("detached", [False, True])
def test_detached_weights_keep_the_contrast_from_the_weighting_network(detached: bool) -> None:
    objective = label_aware(detach_weights=detached)
    objective(inputs_of(objective), TARGETS)["label-aware"].backward()
    moved = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in objective.weighting.parameters()]
    assert any(moved) is not detached
    assert objective.network.encoder.dense.weight.grad.abs().sum() > 0


def test_dropout_views_are_a_second_pass_of_the_same_texts() -> None:
    objective = label_aware(main=network(1, dropout=0.5), views="dropout", balance=0.0)
    phi = objective.network
    assert phi.head is not None
    psi_weights = objective.weighting(batch_of(objective.weighting)).softmax(1)
    torch.manual_seed(7)
    terms = objective(inputs_of(objective), TARGETS)
    torch.manual_seed(7)
    first = phi.encode(batch_of(phi))
    phi.head(first)  # which draws dropout too
    second = phi.encode(batch_of(phi)).vectors
    assert not torch.equal(first.vectors, second)
    rows = functional.normalize(torch.cat([first.vectors, second]), dim=1)
    expected = losses.label_aware_contrastive(
        rows, torch.cat([TARGETS] * 2), torch.cat([psi_weights] * 2), temperature=0.3
    )
    torch.testing.assert_close(terms["label-aware"], expected)


def test_synonym_views_are_the_changed_texts_and_have_an_input_of_their_own() -> None:
    objective = label_aware(views="synonym")
    assert set(objective.encoders()) == {"text", "weighting", "view"}
    assert objective.encoders()["view"] is objective.network.encoder
    changed = [*TEXTS[:-1], "adore adore adore it so"]
    second = objective.network.encode(batch_of(objective.network, changed)).vectors
    terms = objective(inputs_of(objective, changed), TARGETS)
    expected = 0.5 * contrast_by_hand(objective, second, temperature=0.3)
    torch.testing.assert_close(terms["label-aware"], expected)
    assert not torch.allclose(expected, 0.5 * contrast_by_hand(objective, temperature=0.3))


@pytest.mark.parametrize("views", ["copy", "dropout"])
def test_other_views_need_no_further_input(views: str) -> None:
    assert set(label_aware(views=views).encoders()) == {"text", "weighting"}


def test_both_networks_of_a_label_aware_objective_are_trained() -> None:
    objective = label_aware()
    assert objective.extra_networks() == [objective.weighting]
    total(objective(inputs_of(objective), TARGETS)).backward()
    assert all(p.grad is not None for p in objective.parameters())


def test_a_label_aware_objective_without_a_weighting_network_is_an_error() -> None:
    with pytest.raises(TypeError, match="weighting"):
        made({"kind": "label-aware"}, network())


# --- retrofit


def test_retrofit_terms_are_contrast_and_nearness_to_the_starting_encoder() -> None:
    main = network(projection=True, head=False)
    objective = made({"kind": "retrofit", "preservation": 0.4, "temperature": 0.2}, main).train()
    start = vectors_of(main).detach().clone()
    with torch.no_grad():
        main.encoder.dense.weight.add_(0.1)
    assert main.projection is not None
    moved = vectors_of(main)
    expected = {
        "contrastive": losses.supervised_contrastive(main.projection(moved), TARGETS, temperature=0.2),
        "preservation": 0.4 * losses.space_preservation(moved, start),
    }
    assert expected["preservation"] > 0
    close(objective(inputs_of(objective), TARGETS), expected)


def test_nothing_is_to_preserve_while_nothing_has_moved_whatever_drops_out() -> None:
    main = network(projection=True, head=False, dropout=0.5)
    objective = made({"kind": "retrofit"}, main).train()
    terms = objective(inputs_of(objective), TARGETS)
    assert float(terms["preservation"].detach()) == pytest.approx(0, abs=1e-12)
    assert main.encoder.dropout.training
    with torch.no_grad():
        main.encoder.dense.weight.add_(0.1)
    objective(inputs_of(objective), TARGETS)["preservation"].backward()
    assert main.encoder.dense.weight.grad.abs().sum() > 0


def test_without_preservation_the_frozen_copy_is_not_asked() -> None:
    main = network(projection=True, head=False)
    assert set(terms_of({"kind": "retrofit", "preservation": 0}, main)) == {"contrastive"}


def test_the_frozen_copy_never_trains_and_never_changes() -> None:
    main = network(projection=True, head=False, dropout=0.5)
    objective = made({"kind": "retrofit"}, main)
    assert isinstance(objective, RetrofitObjective)
    before = {name: value.clone() for name, value in objective.reference.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in objective.parameters() if p.requires_grad], lr=1.0)
    for _ in range(3):
        objective.train()
        assert main.encoder.training
        assert not any(module.training for module in objective.reference.modules())
        total(objective(inputs_of(objective), TARGETS)).backward()
        optimizer.step()
    assert all(not p.requires_grad and p.grad is None for p in objective.reference.parameters())
    for name, value in objective.reference.state_dict().items():
        assert torch.equal(value, before[name])
    assert not torch.equal(main.encoder.dense.weight, before["dense.weight"])


# --- distillation


TAUGHT = torch.rand(6, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def distilled(labelled: list[bool], *, single: bool = False, **spec: Any) -> tuple[Network, Terms]:
    main = network()
    objective = made({"kind": "distil", "teachers": ["runs/a"], **spec}, main, single=single)
    taught = {"probabilities": TAUGHT, "labelled": torch.tensor(labelled)}
    terms = objective({**inputs_of(objective), "taught": taught}, SINGLE if single else TARGETS)
    return main, terms


@pytest.mark.parametrize("single", [False, True])
def test_distillation_weighs_every_row_alike_and_labels_only_where_there_are_any(single: bool) -> None:
    labelled = [True, False, True, True, False, False]
    main, terms = distilled(labelled, single=single, hard=0.4, temperature=3.0)
    logits = main(batch_of(main))
    soft = losses.distillation(logits, TAUGHT, temperature=3.0, single_label=single)
    name, rows = ("cross-entropy", SINGLE) if single else ("bce", TARGETS)
    each = [losses.classification_loss(logits[[i]], rows[[i]], kind=name) for i in (0, 2, 3)]
    close(terms, {name: 0.4 * sum(each) / 6, "teachers": 0.6 * soft})


def test_a_batch_without_labels_hears_the_teachers_alone() -> None:
    main, terms = distilled([False] * 6, hard=0.5)
    assert terms["bce"] == 0
    total(terms).backward()
    assert torch.isfinite(main.classifier.out.weight.grad).all()
    assert main.classifier.out.weight.grad.abs().sum() > 0


def test_with_a_share_of_zero_the_labels_are_not_read() -> None:
    assert list(distilled([True] * 6, hard=0.0)[1]) == ["teachers"]


def test_labels_of_a_distillation_have_the_usual_options() -> None:
    assert list(distilled([True] * 6, loss="focal", correlation=0.2)[1]) == [
        "focal",
        "correlation",
        "teachers",
    ]


# --- whatever the kind


@pytest.mark.parametrize("spec", [Logistic(kind="logistic"), None, "classify"])
def test_what_is_no_objective_is_refused(spec: Any) -> None:
    with pytest.raises(UsageError, match="no objective"):
        build_objective(spec, network(), LogitLoss(Classify(), single_label=True))


@pytest.mark.parametrize(
    "kind",
    [
        "classify",
        "contrastive",
        "contrastive-unsupervised",
        "supervised-contrastive",
        "label-aware",
        "retrofit",
    ],
)
def test_every_objective_moves_the_encoder(kind: str) -> None:
    main = network(projection=True)
    objective = made({"kind": kind}, main, psi=network(2)).train()
    total(objective(inputs_of(objective), TARGETS)).backward()
    assert main.encoder.dense.weight.grad.abs().sum() > 0
    assert torch.isfinite(main.encoder.words.weight.grad).all()
