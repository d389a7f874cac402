//! A baseline JPEG of grey pixels, as small an encoder as can be: the quantisation and Huffman tables are the examples
//! of the standard (ITU-T T.81, annex K), the transform is the definition of A.3.3.

use std::f32::consts::PI;

/// K.1, luminance.
const QUANTISATION: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17,
    22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78,
    87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// Figure A.6: where the k-th coefficient lies.
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// K.3: how many codes there are of each length, and the values in their order.
const DC_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const DC_VALUES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

/// K.5.
const AC_LENGTHS: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d];
const AC_VALUES: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22,
    0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33,
    0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34,
    0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55,
    0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76,
    0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96,
    0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5,
    0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4,
    0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1,
    0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

/// Encodes grey pixels, row by row; width and height are multiples of 8 and below 65,536.
pub fn encode(pixels: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    segment(&mut out, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    let table: Vec<u8> = ZIGZAG.iter().map(|at| QUANTISATION[*at]).collect();
    segment(&mut out, 0xdb, &[&[0][..], &table].concat());
    let [high, low] = (height as u16).to_be_bytes();
    let [wide, narrow] = (width as u16).to_be_bytes();
    segment(&mut out, 0xc0, &[8, high, low, wide, narrow, 1, 1, 0x11, 0]);
    segment(&mut out, 0xc4, &[&[0x00][..], &DC_LENGTHS, &DC_VALUES].concat());
    segment(&mut out, 0xc4, &[&[0x10][..], &AC_LENGTHS, &AC_VALUES].concat());
    segment(&mut out, 0xda, &[1, 1, 0, 0, 63, 0]);
    let (dc, ac) = (codes(&DC_LENGTHS, &DC_VALUES), codes(&AC_LENGTHS, &AC_VALUES));
    let cosines = cosines();
    let mut bits = Bits { out, held: 0, count: 0 };
    let mut before = 0;
    for top in (0..height).step_by(8) {
        for left in (0..width).step_by(8) {
            let block = transformed(pixels, width, top, left, &cosines);
            before = bits.block(&block, before, &dc, &ac);
        }
    }
    bits.end()
}

fn segment(out: &mut Vec<u8>, marker: u8, content: &[u8]) {
    out.extend([0xff, marker]);
    out.extend((content.len() as u16 + 2).to_be_bytes());
    out.extend(content);
}

/// A Huffman table by value: code and length.
type Codes = [(u16, u8); 256];

/// Annex C: codes count up within a length and double from one length to the next.
fn codes(lengths: &[u8; 16], values: &[u8]) -> Codes {
    let mut table = [(0, 0); 256];
    let (mut code, mut next) = (0_u16, values.iter());
    for (length, count) in (1..).zip(lengths) {
        for value in next.by_ref().take(usize::from(*count)) {
            table[usize::from(*value)] = (code, length);
            code += 1;
        }
        code <<= 1;
    }
    table
}

fn cosines() -> [[f32; 8]; 8] {
    let mut table = [[0.0; 8]; 8];
    for (frequency, row) in table.iter_mut().enumerate() {
        let scale = if frequency == 0 { 0.125_f32.sqrt() } else { 0.5 };
        for (at, cell) in row.iter_mut().enumerate() {
            *cell = scale * ((2 * at + 1) as f32 * frequency as f32 * PI / 16.0).cos();
        }
    }
    table
}

/// Returns the quantised coefficients of a block, in their zigzag order.
fn transformed(pixels: &[u8], width: usize, top: usize, left: usize, cosines: &[[f32; 8]; 8]) -> [i32; 64] {
    let rows: [&[u8]; 8] = std::array::from_fn(|y| &pixels[(top + y) * width + left..][..8]);
    let mut out = [0; 64];
    if rows.iter().all(|row| *row == [rows[0][0]; 8]) {
        // Most of a screen is empty.
        let mean = (f32::from(rows[0][0]) - 128.0) * 8.0;
        out[0] = (mean / f32::from(QUANTISATION[0])).round() as i32;
        return out;
    }
    let mut across = [[0.0_f32; 8]; 8];
    for (y, row) in rows.iter().enumerate() {
        for (u, wave) in cosines.iter().enumerate() {
            across[y][u] =
                row.iter().zip(wave).map(|(pixel, cosine)| (f32::from(*pixel) - 128.0) * cosine).sum();
        }
    }
    for (k, at) in ZIGZAG.iter().enumerate() {
        let (v, u) = (at / 8, at % 8);
        let sum: f32 = (0..8).map(|y| across[y][u] * cosines[v][y]).sum();
        out[k] = (sum / f32::from(QUANTISATION[*at])).round() as i32;
    }
    out
}

/// Bits on their way into bytes.
struct Bits {
    out: Vec<u8>,
    held: u32,
    count: u8,
}

impl Bits {
    fn put(&mut self, value: u16, length: u8) {
        self.held = self.held << length | u32::from(value);
        self.count += length;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.out.push(byte);
            if byte == 0xff {
                // So that no data looks like a marker.
                self.out.push(0);
            }
        }
        self.held &= (1 << self.count) - 1;
    }

    /// Writes a coefficient's lower bits; a negative one is written as its complement.
    fn amplitude(&mut self, value: i32, size: u8) {
        let bits = if value < 0 { value + (1 << size) - 1 } else { value };
        self.put(bits as u16, size);
    }

    /// Writes a block after one whose mean was `before`; returns its own.
    fn block(&mut self, block: &[i32; 64], before: i32, dc: &Codes, ac: &Codes) -> i32 {
        let size = |value: i32| (32 - value.unsigned_abs().leading_zeros()) as u8;
        let step = block[0] - before;
        let (code, length) = dc[usize::from(size(step))];
        self.put(code, length);
        self.amplitude(step, size(step));
        let mut zeros = 0_u8;
        for value in &block[1..] {
            if *value == 0 {
                zeros += 1;
                continue;
            }
            while zeros > 15 {
                let (code, length) = ac[0xf0];
                self.put(code, length);
                zeros -= 16;
            }
            let (code, length) = ac[usize::from(zeros << 4 | size(*value))];
            self.put(code, length);
            self.amplitude(*value, size(*value));
            zeros = 0;
        }
        if zeros > 0 {
            let (code, length) = ac[0];
            self.put(code, length);
        }
        block[0]
    }

    fn end(mut self) -> Vec<u8> {
        // The last byte is filled up with ones.
        self.put(0x7f, 7);
        self.out.extend([0xff, 0xd9]);
        self.out
    }
}
