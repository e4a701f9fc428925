"""Words that every surface says the same way."""

AI_LABEL = "AI twin"
DISCLOSURE = "You are talking to AI twins: replicas made by software, not the people themselves."
STARTER_NOTE = (
    "The starter model is tiny and for trying the service: it makes mistakes. "
    "See README for putting a real one in its place."
)
UNPROVED = "A proof shows where a reply came from, not that what it says is true."
