"""Who has an account at an imitated provider."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

USERS_COUNT_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One person. `number` is unique at the provider and what the provider's own form of the id is made from."""

    number: int
    email: str
    given_name: str
    surname: str
    team: str | None = None
    is_admin: bool = False

    @property
    def name(self) -> str:
        """As the provider's pages show it."""
        return f"{self.given_name} {self.surname}"


SAMPLE_USERS = (
    User(number=1, email="ada@example.com", given_name="Ada", surname="Sample", team="Sample Works", is_admin=True),
    User(number=2, email="ben@example.com", given_name="Ben", surname="Sample", team="Sample Works"),
    User(number=3, email="cleo@example.org", given_name="Cleo", surname="Alone"),
)
"""Two of one team and one of none, so that sharing has both cases."""


class Users:
    """All users of a simulator, in the order in which they came."""

    def __init__(self, users: Iterable[User] = SAMPLE_USERS) -> None:
        self._by_number: dict[int, User] = {}
        for user in users:
            self.add(user)

    def __iter__(self) -> Iterator[User]:
        return iter(self._by_number.values())

    def add(self, user: User) -> None:
        """One more; ValueError if its number or address is taken."""
        if user.number in self._by_number or self.find_by_email(user.email) is not None:
            raise ValueError(f"there is such a user: {user.email}")
        if len(self._by_number) >= USERS_COUNT_MAX:
            raise ValueError(f"more than {USERS_COUNT_MAX} users")
        self._by_number[user.number] = user

    def get(self, number: int) -> User:
        """The user of this number; KeyError if there is none."""
        return self._by_number[number]

    def find(self, number: int) -> User | None:
        """The user of this number."""
        return self._by_number.get(number)

    def find_by_email(self, email: str) -> User | None:
        """The user of this address, whatever its capitals."""
        return next((user for user in self if user.email.casefold() == email.casefold()), None)

    def list_team(self, team: str | None) -> list[User]:
        """The members of a team; nobody for None."""
        return [user for user in self if team is not None and user.team == team]
