// Places of texts by their vectors, in a worker: neighbours stay together, as on the maps that affekt writes.

import { clustered, neighboursOf, reduced, spread } from "./layout.js";

onmessage = ({ data: { vectors, count, clusters } }) => {
  const tell = (doing, share) => postMessage({ doing, share });
  const points = reduced(vectors, count, vectors.length / count);
  const neighbours = neighboursOf(points, count, tell);
  const { x, y } = spread(points, count, neighbours, tell);
  postMessage({ x, y, neighbours, cluster: clustered(points, count, clusters) });
};
