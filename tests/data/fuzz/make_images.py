#!/usr/bin/env python3
"""Makes tests/data/fuzz/image with Pillow: one picture in every kind of file that is read, and some that are not.

usage: .deps/peers/bin/python tests/data/fuzz/make_images.py
"""

import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).parent / 'image'
HEIGHT, WIDTH = 5, 7


def picture():
    """Red grows to the right, green downwards, blue against both."""
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([4 + 30 * column, 8 + 40 * row, 255 - 20 * (row + column)], axis=2).astype(np.uint8)


def png(depth, colour, passes):
    """A PNG file of rows of bytes, a list for each pass; what Pillow does not write."""
    rows = b''.join(b'\0' + row for rows in passes for row in rows)
    chunks = [(b'IHDR', struct.pack('>IIBBBBB', WIDTH, HEIGHT, depth, colour, 0, 0, len(passes) > 1)),
              (b'IDAT', zlib.compress(rows)), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data)) for name, data in chunks)


def main():
    FOLDER.mkdir(exist_ok=True)
    rgb = picture()
    image = Image.fromarray(rgb)
    grey = image.convert('L')
    alpha = Image.fromarray(np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) * 7)
    rgba, grey_alpha = image.copy(), grey.copy()
    rgba.putalpha(alpha)
    grey_alpha.putalpha(alpha)
    palette = image.convert('P', palette=Image.Palette.ADAPTIVE, colors=64)
    for name, which, options in [
            ('rgb.png', image, {}), ('grey.png', grey, {}), ('rgba.png', rgba, {}), ('grey_alpha.png', grey_alpha, {}),
            ('palette.png', palette, {'transparency': 3}), ('black_and_white.png', grey.convert('1'), {}),
            ('rgb.jpg', image, {'quality': 100, 'subsampling': 0}), ('halved_colours.jpg', image, {'quality': 90}),
            ('grey.jpg', grey, {'quality': 100}), ('progressive.jpg', image, {'quality': 100, 'subsampling': 0, 'progressive': True}),
            ('restarts.jpg', image, {'quality': 80, 'restart_marker_blocks': 1}),
            ('turned.jpg', image, {'quality': 100, 'subsampling': 0, 'exif': b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'}),
            ('inks.jpg', image.convert('CMYK'), {})]:
        which.save(FOLDER / name, **options)
    wide = (rgb.astype(np.uint16) * 256 + 17).astype('>u2')
    (FOLDER / 'rgb16.png').write_bytes(png(16, 2, [[row.tobytes() for row in wide]]))
    (FOLDER / 'grey16.png').write_bytes(png(16, 0, [[row.tobytes() for row in wide[:, :, 0]]]))
    four = rgb[:, :, 0] >> 4
    packed = [[bytes((left << 4) | right for left, right in zip(row[::2], [*row[1::2], 0])) for row in four.tolist()]]
    (FOLDER / 'grey4.png').write_bytes(png(4, 0, packed))
    # Adam7: where each pass begins, and how far its pixels are apart.
    adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [[row.tobytes() for row in rgb[y::dy, x::dx]] for y, x, dy, dx in adam7]
    (FOLDER / 'interlaced.png').write_bytes(png(8, 2, passes))


if __name__ == '__main__':
    main()
