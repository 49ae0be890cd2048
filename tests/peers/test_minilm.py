"""Sentence embeddings of a model with real weights, at several batches and lengths, against eager PyTorch."""

import pytest
import torch

import minilm
import slipway_cli

# Five topics of four sentences each.
SENTENCES = [
    "A cat sleeps on the warm windowsill.",
    "The kitten is napping in the sun.",
    "Our old tomcat dozes by the window all day.",
    "Cats love to sleep.",
    "The central bank raised interest rates by half a point.",
    "Borrowing became more expensive after the rate increase.",
    "Inflation pushed the bank to tighten its monetary policy.",
    "Loans cost more now.",
    "She fried the onions in butter before adding the tomatoes.",
    "Simmer the tomato sauce with onions and a little garlic for twenty minutes, stirring now and then so that nothing burns.",
    "The recipe asks for butter, onions and ripe tomatoes.",
    "Cook the onions slowly.",
    "The spacecraft entered orbit around Mars after a journey of seven months.",
    "A probe has reached the red planet.",
    "Engineers steered the orbiter to Mars.",
    "It orbits Mars.",
    "The compiler reports an error because the variable is not declared.",
    "This program does not build: an identifier is undefined.",
    "Declare the variable first, then the code compiles.",
    "Undeclared variables are compile errors.",
]
TOPIC = 4


@pytest.fixture(scope="module")
def model():
    return minilm.load()


@pytest.fixture(scope="module")
def program(model):
    return minilm.export(model)


def embed(model, sentences):
    with torch.no_grad():
        return model(*minilm.tokenize(sentences))


def test_sentences_of_a_topic_are_closest(model):
    assert len(SENTENCES) == 20
    embeddings = embed(model, SENTENCES)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(len(SENTENCES)))
    similarity = embeddings @ embeddings.T
    similarity.fill_diagonal_(-1)
    topics = torch.arange(len(SENTENCES)) // TOPIC
    assert torch.equal(topics[similarity.argmax(1)], topics)
    same = topics[:, None] == topics
    same.fill_diagonal_(False)
    assert similarity[same].mean() > similarity[topics[:, None] != topics].mean() + 0.3


@pytest.mark.parametrize("engine", ["none", "openvino"])
def test_equals_eager(engine, model, program, tmp_path):
    file = slipway_cli.compile(program, tmp_path, engine=engine)
    if engine == "openvino":
        slipway_cli.check_one_partition(file)
    # One sentence alone, batches of several, and all at once: as many lengths.
    for sentences in (SENTENCES[:1], SENTENCES[1:4], SENTENCES[4:12], SENTENCES[12:20], SENTENCES):
        inputs = minilm.tokenize(sentences)
        outputs, _ = slipway_cli.run(file, inputs, tmp_path)
        torch.testing.assert_close(torch.as_tensor(outputs[0]), embed(model, sentences), atol=1e-4, rtol=0)
