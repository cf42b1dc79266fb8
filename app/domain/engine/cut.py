"""Minimum cut (Dinic, 1970): the exact optimum of arbitrary day costs and monotone relations."""

SOURCE = 0
SINK = 1


class FlowNetwork:
    """A directed graph with integer capacities; node 0 is the source, node 1 the sink.

    ``work`` counts the edges, twice, and the nodes passed through in looking for the cut.
    """

    __slots__ = ("_capacity", "_edges", "_head", "size", "work")

    def __init__(self) -> None:
        self.size = 2
        self.work = 0
        self._edges: list[list[int]] = [[], []]
        self._head: list[int] = []
        self._capacity: list[int] = []

    def add_node(self) -> int:
        """A new node's number."""
        self._edges.append([])
        self.size += 1
        return self.size - 1

    def add_edge(self, tail: int, head: int, capacity: int, back: int = 0) -> None:
        """An edge with its capacity, and that of its reverse."""
        number = len(self._head)
        self._head += (head, tail)
        self._capacity += (capacity, back)
        self._edges[tail].append(number)
        self._edges[head].append(number + 1)

    def least_source_side(self, most: int) -> list[bool] | None:
        """Which nodes the smallest source side of a minimum cut holds.

        ``None`` where finding it takes more than this work.
        """
        self.work += len(self._head)
        while self.work <= most:
            level = self._levels()
            if level[SINK] < 0:
                return [found >= 0 for found in level]
            self._block(level)
        return None

    def _levels(self) -> list[int]:
        level = [-1] * self.size
        level[SOURCE] = 0
        queue = [SOURCE]
        for node in queue:
            following = level[node] + 1
            for edge in self._edges[node]:
                head = self._head[edge]
                if level[head] < 0 and self._capacity[edge]:
                    level[head] = following
                    queue.append(head)
        self.work += len(queue)
        return level

    def _block(self, level: list[int]) -> None:
        """Saturate every shortest path: depth first, with the next edge of each node remembered."""
        heads, capacity, edges = self._head, self._capacity, self._edges
        upcoming = [0] * self.size
        path: list[int] = []
        node = SOURCE
        while True:
            if node == SINK:
                self.work += len(path)
                pushed = min(capacity[edge] for edge in path)
                keep = 0
                for place, edge in enumerate(path):
                    capacity[edge] -= pushed
                    capacity[edge ^ 1] += pushed
                    if not capacity[edge] and not keep:
                        keep = place + 1
                node = heads[path[keep - 1] ^ 1]
                del path[keep - 1 :]
                continue
            own = edges[node]
            place = upcoming[node]
            following = level[node] + 1
            while place < len(own):
                edge = own[place]
                if capacity[edge] and level[heads[edge]] == following:
                    break
                place += 1
            upcoming[node] = place
            if place < len(own):
                path.append(own[place])
                node = heads[own[place]]
            elif path:
                level[node] = -1
                node = heads[path.pop() ^ 1]
            else:
                return
