declare module '@cornerstonejs/codec-charls/decodewasmjs' {
  const open: import('./codec-modules.d.ts').WasmFactory;
  export default open;
}

declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  const open: import('./codec-modules.d.ts').WasmFactory;
  export default open;
}

declare module '@cornerstonejs/codec-openjph' {
  const open: import('./codec-modules.d.ts').WasmFactory;
  export default open;
}

declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decode' {
  const open: import('./codec-modules.d.ts').WasmFactory;
  export default open;
}

declare module 'jpeg-lossless-decoder-js' {
  export class Decoder {
    decode(buffer: ArrayBuffer, offset?: number, length?: number): Uint8Array | Uint16Array;
  }
}

declare module 'dicom-character-set' {
  export function convertBytes(
    specificCharacterSet: string,
    bytes: Uint8Array,
    options: { readonly vr: string },
  ): unknown;
}

declare module 'dcmjs' {
  const dcmjs: {
    readonly data: {
      readonly DicomDict: new (meta: object) => { dict: object; write(): ArrayBuffer };
      readonly DicomMetaDictionary: { denaturalizeDataset(dataSet: object): object };
    };
  };
  export default dcmjs;
}
