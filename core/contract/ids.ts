import * as z from 'zod';
import { RUN_ID, SHA256 } from './hex.ts';

export const Sha256 = z.string().regex(SHA256, 'a sha256 in lower-case hexadecimal');

export const RunId = z.string().regex(RUN_ID, '16 hexadecimal digits in lower case');
