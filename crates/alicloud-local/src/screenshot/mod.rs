//! The picture of an instance's screen: the last lines of its console, as an old text mode would show them, in the
//! format of `GetInstanceScreenshot` (JPEG).

mod font;
mod jpeg;

/// The text mode: columns and rows.
const COLUMNS: usize = 80;
const ROWS: usize = 25;
/// A cell of it, in pixels. A glyph is 5 wide and 7 high, each of its rows drawn twice.
const CELL_WIDTH: usize = 8;
const CELL_HEIGHT: usize = 16;
/// The grey of letters, between 0 and 255; the screen is black.
const INK: u8 = 200;

/// Draws the end of a text and returns it as a JPEG picture of 640 by 400 pixels.
pub fn of_text(text: &str) -> Vec<u8> {
    let (width, height) = (COLUMNS * CELL_WIDTH, ROWS * CELL_HEIGHT);
    let mut pixels = vec![0_u8; width * height];
    for (row, line) in screen(text).iter().enumerate() {
        for (column, letter) in line.iter().enumerate() {
            let at = row * CELL_HEIGHT * width + column * CELL_WIDTH;
            draw(*letter, &mut pixels[at..], width);
        }
    }
    jpeg::encode(&pixels, width, height)
}

/// Returns the rows that a terminal shows after this text: long lines go on in the next row, the oldest scroll away.
fn screen(text: &str) -> Vec<Vec<char>> {
    let mut rows: Vec<Vec<char>> = Vec::new();
    for line in text.lines() {
        let letters: Vec<char> = line.chars().filter(|letter| !letter.is_control()).collect();
        match letters.len() {
            0 => rows.push(Vec::new()),
            _ => rows.extend(letters.chunks(COLUMNS).map(<[char]>::to_vec)),
        }
    }
    rows.split_off(rows.len().saturating_sub(ROWS))
}

/// Draws a letter into the cell whose upper left corner is the first pixel.
fn draw(letter: char, pixels: &mut [u8], width: usize) {
    for (x, column) in font::glyph(letter).iter().enumerate() {
        for y in (0..7).filter(|y| column >> y & 1 == 1) {
            for line in [2 * y + 1, 2 * y + 2] {
                pixels[line * width + x + 1] = INK;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_go_on_and_old_ones_scroll_away() {
        let rows = screen(&format!("{}\n\nb\x1b", "a".repeat(COLUMNS + 1)));
        let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
        assert_eq!(lengths, [COLUMNS, 1, 0, 1]);
        let many: String = (0..100).map(|number| format!("{number}\n")).collect();
        let rows = screen(&many);
        assert_eq!((rows.len(), rows[0].clone()), (ROWS, vec!['7', '5']));
    }

    #[test]
    fn the_picture_is_a_jpeg_of_the_screens_size() {
        let picture = of_text("login: ~Ag|\u{6253}");
        assert_eq!(picture[..2], [0xff, 0xd8]);
        assert_eq!(picture[picture.len() - 2..], [0xff, 0xd9]);
        // SOF0 holds height and width after its length and the precision.
        let frame = picture.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        assert_eq!(picture[frame + 5..frame + 9], [0x01, 0x90, 0x02, 0x80]);
        assert_ne!(picture, of_text(""));
    }
}
