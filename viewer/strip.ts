import { byId, svgElement } from './dom.ts';

const HEIGHT = 40;
const TICK = 6;

/** Area of the final mask along the axial slices, with a tick where a flag is: shows where to look, and goes there. */
export class SliceStrip {
  private readonly here: SVGElement;
  private readonly root: SVGElement;

  constructor(
    voxelsPerSlice: readonly number[],
    flagged: readonly number[],
    goTo: (slice: number) => void,
  ) {
    const count = voxelsPerSlice.length;
    this.root = svgElement('svg', {
      viewBox: `0 0 ${count} ${HEIGHT}`,
      preserveAspectRatio: 'none',
      // What it shows and does, the slider below and the flags' buttons do for every reader.
      'aria-hidden': 'true',
    });
    const largest = Math.max(1, ...voxelsPerSlice);
    const top = (voxels: number): number => HEIGHT - (voxels / largest) * (HEIGHT - TICK - 2);
    const steps = voxelsPerSlice.map((voxels, k) => `V${top(voxels)}H${k + 1}`).join('');
    this.root.append(
      svgElement('path', { class: 'area', d: `M0 ${HEIGHT}${steps}V${HEIGHT}Z` }),
      ...flagged.map((k) =>
        svgElement('rect', { class: 'tick', x: k, y: 0, width: 1, height: TICK }),
      ),
    );
    this.here = svgElement('rect', { class: 'here', y: 0, width: 1, height: HEIGHT });
    this.root.append(this.here);
    const follow = (event: PointerEvent): void => {
      if (event.buttons === 0) return;
      const { left, width } = this.root.getBoundingClientRect();
      const share = (event.clientX - left) / width;
      goTo(Math.max(0, Math.min(count - 1, Math.floor(share * count))));
    };
    this.root.addEventListener('pointerdown', (event) => {
      this.root.setPointerCapture(event.pointerId);
      follow(event);
    });
    this.root.addEventListener('pointermove', follow);
    byId('strip').replaceChildren(this.root);
  }

  show(slice: number): void {
    this.here.setAttribute('x', String(slice));
  }
}
