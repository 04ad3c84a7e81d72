"""Phrases that several contracts share: equal rules read alike."""

CANDIDATES = "training catalogue minus the user's training items, all of it"
USERS_WITH_LIST = "mean over test users who got a list; users without one are left out"
ALL_LISTS = "one figure over the lists of all test users"
COLD_LISTS = "cold users count if they got a list; cold items are in no list"
PROFILES = "users without a training profile or without a list are left out; cold items are in no list"
TEST_ROWS = "unanswered rows get the training mean"
CLIPPED = "predictions clipped to the rating scale"
