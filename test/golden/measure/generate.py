"""What PyRadiomics, SimpleITK, SciPy and numpy measure of a small mask: image.nii.gz, mask.nii.gz, truth.json.

    python generate.py

Needs pyradiomics 3.0.1, SimpleITK, scipy, nibabel.
"""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from radiomics import firstorder, shape
from scipy import ndimage

HERE = Path(__file__).parent
SPACING = (0.8, 1.1, 2.5)


def hu_statistics(values):
    values = values.astype(np.float64)
    percentiles = {f"p{q:02}Hu": float(np.percentile(values, q)) for q in (5, 10, 25, 75, 90, 95)}
    return {
        "voxels": int(values.size),
        "meanHu": float(values.mean()),
        "sdHu": float(values.std()),
        "minHu": float(values.min()),
        "maxHu": float(values.max()),
        "medianHu": float(np.median(values)),
        **percentiles,
        "below40HuShare": float((values < 40).mean()),
    }


def main():
    rng = np.random.default_rng(7)
    i, j, k = np.meshgrid(np.arange(40), np.arange(36), np.arange(14), indexing="ij")
    inside = ((i - 18) / 13) ** 2 + ((j - 17) / 11) ** 2 + ((k - 6) / 6) ** 2 < 1
    inside |= ((i - 30) / 7) ** 2 + ((j - 12) / 5) ** 2 + ((k - 5) / 3) ** 2 < 1
    inside &= ~(((i - 15) ** 2 + (j - 16) ** 2 < 9) & (k > 4) & (k < 8))
    image = np.where(inside, 55 + 18 * rng.standard_normal(i.shape), -80 + 30 * rng.standard_normal(i.shape))
    image = np.round(image).astype(np.int16)
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1])
    nib.save(nib.Nifti1Image(image, affine), HERE / "image.nii.gz")
    nib.save(nib.Nifti1Image(inside.astype(np.uint8), affine), HERE / "mask.nii.gz")

    sitk_image = sitk.ReadImage(str(HERE / "image.nii.gz"))
    sitk_mask = sitk.ReadImage(str(HERE / "mask.nii.gz"))
    order = firstorder.RadiomicsFirstOrder(sitk_image, sitk_mask, binWidth=25)
    order.enableAllFeatures()
    order = {name: float(value) for name, value in order.execute().items()}
    form = shape.RadiomicsShape(sitk_image, sitk_mask)
    form.enableAllFeatures()
    form = {name: float(value) for name, value in form.execute().items()}
    eroded = ndimage.binary_erosion(inside)

    label = sitk.LabelStatisticsImageFilter()
    label.Execute(sitk_image, sitk_mask)
    whole = hu_statistics(image[inside])
    assert abs(label.GetMean(1) - whole["meanHu"]) < 1e-9
    # ITK's is that of a sample.
    n = whole["voxels"]
    assert abs(label.GetSigma(1) - whole["sdHu"] * np.sqrt(n / (n - 1))) < 1e-9

    truth = {
        "pyradiomics": {
            "meanHu": order["Mean"],
            "sdHu": order["Variance"] ** 0.5,
            "medianHu": order["Median"],
            "minHu": order["Minimum"],
            "maxHu": order["Maximum"],
            "p10Hu": order["10Percentile"],
            "p90Hu": order["90Percentile"],
            "voxelVolumeMm3": form["VoxelVolume"],
            "surfaceAreaMm2": form["SurfaceArea"],
            "maximum2dDiameterSliceMm": form["Maximum2DDiameterSlice"],
        },
        "inside": whole,
        "eroded": hu_statistics(image[eroded]),
    }
    (HERE / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    main()
