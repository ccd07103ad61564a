"""The image units in graphs as users write them: options arrive through DOT, metas from unit to unit."""

import json

import numpy as np

from server.flow.sdk import Flow
from server.flow.unitapi import Buffer
from server.flow.units.resampling import bilinear
from tests.flow.units.images import image, noise

MODEL_INPUT = """digraph model {
  in[type=input]
  size[flowunit=resize, image_width=8, image_height=6]
  planes[flowunit=packed_planar_transpose]
  less[flowunit=mean, mean="104, 117, 123"]
  scaled[flowunit=normalize, standard_deviation_inverse="0.5,2,0.25"]
  out[type=output]
  in -> size:in_image
  size:out_image -> planes:in_image
  planes:out_image -> less:in_data
  less:out_data -> scaled:in_data
  scaled:out_data -> out
}"""
FACES = """digraph faces {
  picture[type=input]; face[type=input]; boxes[type=input]
  upright[flowunit=image_rotate]
  cut[flowunit=crop]
  framed[flowunit=draw_bbox]
  canvas[flowunit=padding, image_width=20, image_height=20, horizontal_align=center, padding_data="9,9,9"]
  out[type=output]
  picture -> upright:in_image
  upright:out_image -> cut:in_image
  face -> cut:in_region
  cut:out_image -> framed:in_image
  boxes -> framed:in_region
  framed:out_image -> canvas:in_image
  canvas:out_image -> out
}"""


def through(dot: str, **inputs: list[Buffer]) -> list[Buffer]:
    """What a graph makes of a session."""
    flow = Flow()
    assert flow.init("images", json.dumps({"graph": {"format": "graphviz", "graphconf": dot}}))
    assert flow.start_run()
    session = flow.create_stream_io()
    count = 0
    for port, buffers in inputs.items():
        count = len(buffers)
        for buffer in buffers:
            session.send(port, buffer)
    session.close_input()
    received = [session.recv("out", 20_000) for _ in range(count)]
    flow.stop()
    return [buffer for buffer in received if buffer is not None]


def test_an_image_becomes_a_model_s_input() -> None:
    pictures = [noise(30, 40 + number) for number in range(20)]
    made = through(MODEL_INPUT, **{"in": [image(picture) for picture in pictures]})
    means, factors = np.array([[104, 117, 123]], np.float32).T, np.array([[0.5, 2, 0.25]], np.float32).T
    for picture, tensor in zip(pictures, made, strict=True):
        planes = bilinear(picture, 6, 8).transpose(2, 0, 1).reshape(3, 48)
        assert np.array_equal(np.asarray(tensor), ((planes - means) * factors).reshape(3, 6, 8))


def test_two_inputs_each_meet_their_image() -> None:
    picture = np.zeros((10, 20, 3), np.uint8)
    picture[2:4, 3:9] = 200
    face = Buffer(None, np.array([6, 3, 2, 6], np.int32))
    bad_face = Buffer(None, np.array([6, 3, 20, 6], np.int32))
    made = through(
        FACES,
        picture=[image(picture, rotate_angle=90)] * 3,
        face=[face, bad_face, face],
        boxes=[Buffer(None, b"")] * 3,
    )
    assert [each.has_error() for each in made] == [False, True, False]
    assert made[1].get_error_code() == "crop.ProcessError"
    padded = np.asarray(made[0])
    assert np.unique(padded[:, 7:13]).tolist() == [200]
    assert np.unique(padded[:, :7]).tolist() == np.unique(padded[:, 13:]).tolist() == [9]
