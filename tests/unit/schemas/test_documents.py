import json
from pathlib import Path

import jsonschema
import pytest

from schemas.message import Message
from services.cli.schemas import MESSAGES, documents, faults_in
from tests.unit.schemas.messages import ALL

FOLDER = Path(__file__).parents[3] / "schemas" / "v1"


def test_the_published_schemas_are_the_models() -> None:
    """Mend it with: muster schemas write."""
    assert faults_in(FOLDER) == []


def test_every_message_has_an_example_here() -> None:
    assert {type(message) for message in ALL} == set(MESSAGES)


@pytest.mark.parametrize("name", sorted(documents()))
def test_a_published_schema_is_a_valid_json_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(documents()[name]))


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_an_encoded_message_is_valid_by_its_schema(message: Message) -> None:
    schema = json.loads(documents()[f"{type(message).__name__.lower()}.json"])
    jsonschema.validate(json.loads(message.to_json()), schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("field", ["v", "type"])
def test_version_and_type_are_never_left_out(message: Message, field: str) -> None:
    schema = json.loads(documents()[f"{type(message).__name__.lower()}.json"])
    body = json.loads(message.to_json())
    del body[field]
    with pytest.raises(jsonschema.ValidationError, match=f"'{field}' is a required property"):
        jsonschema.validate(body, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    assert type(message).model_validate_json(message.to_json()) == message


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_an_unknown_field_is_ignored_so_that_adding_one_is_compatible(message: Message) -> None:
    body = {**json.loads(message.to_json()), "addedLater": {"x": 1}}
    assert type(message).model_validate_json(json.dumps(body)) == message
    jsonschema.validate(body, json.loads(documents()[f"{type(message).__name__.lower()}.json"]))
