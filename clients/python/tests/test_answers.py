import unittest
from unittest import mock

from ndauth.answers import Answers
from ndauth.v1.types_pb2 import All
from ndauth.v1.validation_service_pb2 import ValidateTokenResponse
from ndauth.v1.watch_service_pb2 import Change, Rules, WatchRevocationsResponse


def answer(sequence=5, token=None, seconds=60, stale=False):
    made = ValidateTokenResponse(sequence=sequence, stale=stale)
    made.max_cache_age.FromSeconds(seconds)
    if token:
        made.allowed.token_id = token
    else:
        made.refused.SetInParent()
    return made


def changes(*changes, **more):
    return WatchRevocationsResponse(changes=changes, **more)


class AnswersTest(unittest.TestCase):
    def kept(self, made, between=None, after=None, capacity=10):
        """Returns true if an answer may be given again, with messages of the watch before and after it."""
        answers = Answers(capacity)
        asked = answers.ask()
        if between:
            answers.apply(between)
        answers.keep(b"key", asked, made)
        if after:
            answers.apply(after)
        return answers.find(b"key") == made

    def test_an_answer_is_kept_for_as_long_as_it_says(self):
        self.assertTrue(self.kept(answer(token="a")))
        self.assertTrue(self.kept(answer()))
        self.assertFalse(self.kept(answer(token="a", seconds=0)))
        self.assertFalse(self.kept(answer(token="a", stale=True)))

    def test_the_time_counts_from_the_sending(self):
        answers = Answers(10)
        asked = answers.ask()
        for later, expected in [(59.9, True), (60, False)]:
            with self.subTest(later), mock.patch("ndauth.answers.now", lambda: asked.sent + 5):
                answers.keep(b"key", asked, answer(token="a"))
            with mock.patch("ndauth.answers.now", lambda later=later: asked.sent + later):
                self.assertEqual(answers.find(b"key") is not None, expected)

    def test_an_answer_that_arrives_too_late_is_not_kept(self):
        answers = Answers(10)
        asked = answers.ask()
        answers.keep(b"key", asked._replace(sent=asked.sent - 60), answer(token="a"))
        self.assertIsNone(answers.find(b"key"))

    def test_a_change_drops_what_it_concerns_before_and_after_the_answer(self):
        of_a, of_b = Change(sequence=6, token_id="a"), Change(sequence=6, token_id="b")
        flood = changes(*(Change(sequence=n, token_id=f"{n}") for n in range(6, 6000)))
        for case, made, message, expected in [
            ("its token", answer(token="a"), changes(of_a), False),
            ("another token", answer(token="a"), changes(of_b), True),
            ("an event that it takes into account", answer(6, "a"), changes(of_a), True),
            ("an account", answer(token="a"), changes(Change(sequence=6, account_id="x")), False),
            ("an org", answer(token="a"), changes(Change(sequence=6, org_id="x")), False),
            ("everything", answer(token="a"), changes(Change(sequence=6, everything=All())), False),
            ("an unknown kind", answer(token="a"), changes(Change(sequence=6)), False),
            ("any token, for a refusal", answer(), changes(of_b), False),
            ("an earlier one, for a refusal", answer(6), changes(of_b), True),
            ("a reset", answer(9, "a"), changes(reset=True), False),
            ("rules", answer(9, "a"), changes(rules=Rules()), False),
            ("nothing", answer(token="a"), changes(), True),
            ("a flood", answer(token="a"), flood, False),
        ]:
            with self.subTest(case):
                self.assertEqual(self.kept(made, between=message), expected)
                self.assertEqual(self.kept(made, after=message), expected)

    def test_guesses_do_not_evict_known_tokens(self):
        answers = Answers(2)
        answers.keep(b"known", answers.ask(), answer(token="a"))
        for guess in range(1000):
            answers.keep(b"%d" % guess, answers.ask(), answer())
        self.assertIsNotNone(answers.find(b"known"))
        self.assertIsNone(answers.find(b"0"))
        self.assertIsNotNone(answers.find(b"999"))

    def test_a_caller_cannot_alter_what_is_kept(self):
        answers = Answers(2)
        answers.keep(b"key", answers.ask(), answer(token="a"))
        answers.find(b"key").allowed.token_id = "b"
        self.assertEqual(answers.find(b"key").allowed.token_id, "a")
