import type { CaseReport, GpuCost, Machine, SegmentedReport } from '../contract/report.ts';
import { numberText } from '../page/format.ts';
import { html, type SafeHtml } from '../page/html.ts';
import { definitionList, type Entry } from '../page/table.ts';

const code = (text: string): SafeHtml => html`<code>${text}</code>`;

/** Everything needed to tell which input, model and software a result came from. */
export function provenance(report: SegmentedReport): SafeHtml {
  const { input, geometry, bundle, hu, timings } = report;
  const { grid } = geometry;
  const { column, row, slice } = grid.spacingMm;
  return definitionList([
    ['Input', html`<bdi>${input.name}</bdi>, ${input.bytes} bytes`],
    ['Input SHA-256', code(report.inputSha256)],
    [
      'Geometry',
      `${geometry.shape.join(' × ')} voxels, ${geometry.dtype}, NIfTI-${geometry.niftiVersion}, ` +
        `axes ${geometry.orientation}, affine from ${geometry.affineSource}`,
    ],
    [
      'Slices',
      `${grid.slices} axial, ${grid.columns} × ${grid.rows} at ` +
        `${column.toFixed(3)} × ${row.toFixed(3)} mm, ${slice.toFixed(3)} mm apart`,
    ],
    ['HU', `${hu.min} to ${hu.max}; 1 % ${hu.p01}, median ${hu.p50}, 99 % ${hu.p99}`],
    ['Model bundle', html`<bdi>${bundle.name}</bdi>`],
    ['Bundle digest', code(bundle.digest)],
    [
      'Model input',
      `${bundle.sliceSizePx} × ${bundle.sliceSizePx} px, window ${bundle.windowHu[0]} to ` +
        `${bundle.windowHu[1]} HU, gate at ${numberText(bundle.classifierThreshold, 3)}`,
    ],
    ['Licences', bundle.licences.join('; ') || 'none stated'],
    ...software(report),
    [
      'Time',
      `split ${seconds(timings.splitSeconds)}, segment ${seconds(timings.segmentSeconds)} ` +
        `(classifier ${seconds(timings.classifierSeconds)}, encoder ${seconds(timings.encoderSeconds)}, ` +
        `decoder ${seconds(timings.decoderSeconds)}), assemble ${seconds(timings.assembleSeconds)}`,
    ],
    [
      'Peak memory',
      report.peakMemoryMiB === null ? null : `${report.peakMemoryMiB.toFixed(0)} MiB`,
    ],
    ['GPU', report.cost ? gpuTime(report.cost) : null],
    ...(report.machines ?? []).map((one): Entry => ['Machine', machineText(one)]),
    ['Trace', report.traceId ? code(report.traceId) : null],
  ]);
}

const machineText = ({ instanceType, market, gpu, driver, image, imageDate }: Machine): string =>
  [instanceType, market, gpu, driver && `driver ${driver}`, image, imageDate && `of ${imageDate}`]
    .filter(Boolean)
    .join(', ');

const gpuTime = ({ gpuSeconds, usdPerGpuHour, estimatedUsd }: GpuCost): string =>
  `${seconds(gpuSeconds)}, about ${estimatedUsd.toFixed(4)} USD at ${usdPerGpuHour} USD an hour`;

const seconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} s`;

/** The entries that every report has, a failed case's too. */
function software(report: CaseReport): Entry[] {
  const { sammixVersion, backend, node, platform } = report.provenance;
  const runtime = backend
    ? `, ONNX Runtime ${backend.onnxRuntimeVersion} on ${backend.provider}`
    : '';
  return [
    ['Software', `sammix ${sammixVersion}${runtime}, Node ${node}, ${platform}`],
    ['Run', report.runId === null ? null : code(report.runId)],
    ['Written', html`<time datetime="${report.createdAt}">${report.createdAt}</time>`],
  ];
}

export const failureProvenance = (report: CaseReport): SafeHtml => definitionList(software(report));
