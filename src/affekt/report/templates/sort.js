// Tables of class "sortable": a click on a heading sorts by it, a second click turns the order.
(function () {
  "use strict";
  function key(row, column) {
    var cell = row.cells[column];
    var text = cell.dataset.key !== undefined ? cell.dataset.key : cell.textContent.trim();
    var number = parseFloat(text);
    return text !== "" && isFinite(text) ? number : text.toLowerCase();
  }
  function compare(a, b) {
    if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b));
  }
  function sort(table, head, column) {
    var numeric = head.classList.contains("number");
    var now = head.getAttribute("aria-sort");
    var falling = now ? now === "ascending" : numeric;
    var body = table.tBodies[0];
    var rows = Array.prototype.slice.call(body.rows);
    rows.sort(function (left, right) {
      var a = key(left, column), b = key(right, column);
      if (a === "" || b === "") return compare(a, b);
      return falling ? compare(b, a) : compare(a, b);
    });
    rows.forEach(function (row) { body.appendChild(row); });
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) {
      other.removeAttribute("aria-sort");
    });
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  }
  document.querySelectorAll("table.sortable").forEach(function (table) {
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      var button = head.querySelector("button");
      if (button) button.addEventListener("click", function () { sort(table, head, column); });
    });
  });
})();
