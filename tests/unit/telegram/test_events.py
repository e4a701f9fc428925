"""Events as they are kept until they are handled."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram_chat.events import (
    Attached,
    Author,
    BotMade,
    Event,
    GivenBack,
    Paid,
    Pressed,
    Said,
    Spot,
    encode_event,
    parse_event,
)

NUMBER = st.integers(-(2**52), 2**52)
SPOT = st.builds(Spot, NUMBER, st.none() | NUMBER, st.booleans(), NUMBER)
FILE = st.none() | st.builds(Attached, st.text(), NUMBER, st.text())
EVENT = st.one_of(
    st.builds(
        Said,
        NUMBER,
        SPOT,
        NUMBER,
        st.none() | st.text(),
        st.text(),
        NUMBER,
        st.sampled_from(Author),
        album=st.text(),
        unasked=st.booleans(),
        file=FILE,
        name=st.text(),
    ),
    st.builds(Pressed, NUMBER, SPOT, NUMBER, st.text(), st.text(), st.text()),
    st.builds(BotMade, NUMBER, SPOT, NUMBER, st.text(), st.text()),
    st.builds(Paid, NUMBER, SPOT, NUMBER, st.text(), NUMBER),
    st.builds(GivenBack, NUMBER, SPOT, NUMBER, st.text(), NUMBER),
)


@given(EVENT)
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    assert parse_event(encode_event(event)) == event
