"""The cases of metrics.json: shape [slices, rows, columns], spacing in the same order, two masks."""

SPACINGS = [[1, 1, 1], [2.5, 0.7, 0.7], [1.6, 0.743, 0.743], [3, 1, 2], [0.9, 1.3, 2.7]]


def case(name, shape, spacing, prediction, label):
    return {"name": name, "shape": shape, "spacing": spacing, "prediction": prediction, "label": label}


def cases():
    out = []
    dot = lambda k, j, i: [{"box": [k, k + 1, j, j + 1, i, i + 1]}]
    ball = lambda k, j, i, r: [{"ellipsoid": [k, j, i, r, r, r]}]
    for spacing in SPACINGS:
        tag = "x".join(map(str, spacing))
        add = lambda name, shape, p, l: out.append(case(f"{name} {tag}", shape, spacing, p, l))
        add("one voxel each, 2 apart in slices", [6, 5, 5], dot(1, 2, 2), dot(3, 2, 2))
        add("one voxel each, diagonal", [7, 7, 7], dot(1, 1, 1), dot(4, 5, 3))
        add("same voxel", [3, 3, 3], dot(1, 1, 1), dot(1, 1, 1))
        add("spheres shifted by (3, 2, 1)", [24, 26, 28], ball(11, 12, 13, 8), ball(14, 14, 14, 8))
        add("nested spheres", [24, 24, 24], ball(12, 12, 12, 5), ball(12, 12, 12, 10))
        add("touching boxes", [10, 12, 14], [{"box": [2, 8, 2, 8, 2, 7]}], [{"box": [2, 8, 2, 8, 7, 12]}])
        add("far apart", [40, 20, 20], ball(4, 10, 10, 3), ball(34, 9, 9, 4))
        add("whole volume against its core", [9, 10, 11], [{"box": [0, 9, 0, 10, 0, 11]}], [{"box": [2, 7, 2, 8, 2, 9]}])
        add("at the border", [12, 12, 12], [{"box": [0, 5, 0, 6, 0, 7]}], [{"box": [0, 6, 0, 6, 1, 12]}])
        add("shell against ball", [22, 22, 22], ball(11, 11, 11, 9) + [{"cavity": [11, 11, 11, 5, 6, 7]}], ball(11, 11, 11, 9))
        add("both empty", [4, 4, 4], [], [])
        add("missed", [8, 8, 8], [], ball(4, 4, 4, 2))
        add("spurious", [8, 8, 8], ball(4, 4, 4, 2), [])
    for seed in range(12):
        spacing = SPACINGS[seed % len(SPACINGS)]
        blobs = [{"blobs": [seed, 6, 9]}]
        out.append(case(f"blobs {seed}, moved and speckled", [30, 32, 35], spacing,
                        blobs + [{"shift": [1, -2, 1]}, {"noise": [seed, 2]}], blobs))
        out.append(case(f"blobs {seed}, eroded", [21, 40, 33], spacing, blobs + [{"erode": 1}], blobs))
        out.append(case(f"different blobs {seed}", [19, 23, 29], spacing, blobs, [{"blobs": [seed + 100, 4, 7]}]))
        out.append(case(f"noise {seed}", [11, 12, 13], spacing, [{"noise": [seed, 300]}], [{"noise": [seed + 50, 100]}]))
    for code in (3, 6, 7, 22, 23, 24, 25, 27, 30, 60, 105, 150, 195, 228, 249):
        out.append(case(f"neighbourhood {code}", [6, 7, 8], [2.1, 0.8, 1.3], [{"code": code}], ball(3, 3, 4, 2)))
    return out


def component_cases():
    out = []
    for seed in range(8):
        out.append({"name": f"noise {seed}", "shape": [14, 17, 23], "mask": [{"noise": [seed, [60, 150, 300, 650][seed % 4]]}]})
        out.append({"name": f"blobs {seed}", "shape": [25, 31, 37], "mask": [{"blobs": [seed, 9, 6]}, {"noise": [seed, 20]}]})
    ball = [{"ellipsoid": [12, 12, 12, 9, 10, 11]}]
    hollow = ball + [{"cavity": [12, 12, 12, 3, 4, 5]}]
    out += [
        {"name": "empty", "shape": [4, 5, 6], "mask": []},
        {"name": "full", "shape": [4, 5, 6], "mask": [{"box": [0, 4, 0, 5, 0, 6]}]},
        {"name": "closed cavity", "shape": [25, 25, 25], "mask": hollow},
        {"name": "cavity with a tunnel", "shape": [25, 25, 25], "mask": hollow + [{"clear": [12, 13, 12, 13, 12, 25]}]},
        {"name": "cavity open through a corner only", "shape": [5, 5, 5],
         "mask": [{"box": [0, 5, 0, 5, 0, 5]}, {"clear": [1, 2, 1, 2, 1, 2]}, {"clear": [0, 1, 0, 1, 0, 1]}]},
        {"name": "cavity that reaches the border", "shape": [9, 9, 9],
         "mask": [{"box": [0, 9, 0, 9, 0, 9]}, {"clear": [0, 4, 4, 5, 4, 5]}]},
        {"name": "ring in a slice is open along slices", "shape": [3, 9, 9],
         "mask": [{"box": [1, 2, 1, 8, 1, 8]}, {"clear": [1, 2, 3, 6, 3, 6]}]},
    ]
    return out
