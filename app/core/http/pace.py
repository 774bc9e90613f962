"""How fast a body comes while we wait for it; the time that we take ourselves does not count."""

from __future__ import annotations


class Pace:
    """Looks at a window of waiting after the other, so that a quick beginning is no credit for a trickle later."""

    def __init__(self, bytes_per_second_min: int, *, over_seconds: float) -> None:
        self.bytes_per_second_min = bytes_per_second_min
        self.is_slow = False
        """True from the first window with too little on; never without a minimum."""
        self._over_seconds = over_seconds
        self._seconds = 0.0
        self._bytes = 0

    def note(self, size_bytes: int, *, seconds: float) -> None:
        """So much came after so long a wait."""
        self._seconds += seconds
        self._bytes += size_bytes
        if self._seconds >= self._over_seconds:
            self.is_slow = self.is_slow or self._bytes < self.bytes_per_second_min * self._seconds
            self._seconds, self._bytes = 0.0, 0
