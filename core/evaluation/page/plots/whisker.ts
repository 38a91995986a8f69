import type { CustomSeriesRenderItem } from 'echarts';

const CAP_PX = 4;

/** Draws data `[from, to, place]` as a line with caps; horizontal where the values run along x. */
export const whisker =
  (along: 'x' | 'y', colour: string): CustomSeriesRenderItem =>
  (_parameters, api) => {
    const point = (value: string | number | Date | null | undefined): [number, number] => {
      const at = [value, api.value(2)];
      const [x, y] = api.coord(along === 'x' ? at : at.reverse());
      return [x!, y!];
    };
    const [x1, y1] = point(api.value(0));
    const [x2, y2] = point(api.value(1));
    const style = { stroke: colour, lineWidth: 1.5 };
    const [capX, capY] = along === 'x' ? [0, CAP_PX] : [CAP_PX, 0];
    const line = (ax: number, ay: number, bx: number, by: number) => ({
      type: 'line' as const,
      shape: { x1: ax, y1: ay, x2: bx, y2: by },
      style,
    });
    return {
      type: 'group',
      children: [
        line(x1, y1, x2, y2),
        line(x1 - capX, y1 - capY, x1 + capX, y1 + capY),
        line(x2 - capX, y2 - capY, x2 + capX, y2 + capY),
      ],
    };
  };
