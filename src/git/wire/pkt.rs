//! pkt-lines: texts with their length in front (gitprotocol-common(5)).

use super::WireError;

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'r> {
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: what stands between sections.
    Delimiter,
    /// A line, its newline taken off.
    Line(&'r str),
}

/// The longest packet, with its length.
const LONGEST: usize = 65_520;

const LENGTH: usize = 4;

/// The packets of a request, one after another.
pub(super) struct Packets<'r> {
    request: &'r [u8],
    at: usize,
}

impl<'r> Packets<'r> {
    pub(super) fn of(request: &'r [u8]) -> Self {
        Packets { request, at: 0 }
    }

    /// What has not been read.
    pub(super) fn rest(self) -> &'r [u8] {
        &self.request[self.at..]
    }

    /// The next packet; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Packet<'r>>, WireError> {
        let rest = &self.request[self.at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let bad = WireError::BadLine(self.at);
        let digits = rest.first_chunk::<LENGTH>().ok_or(WireError::CutOff)?;
        let length = length(digits).ok_or_else(|| bad.clone())?;
        self.at += length.max(LENGTH);
        match length {
            0 => Ok(Some(Packet::Flush)),
            1 => Ok(Some(Packet::Delimiter)),
            2..LENGTH => Err(bad),
            _ => {
                let line = rest.get(LENGTH..length).ok_or(WireError::CutOff)?;
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                let line = std::str::from_utf8(line).map_err(|_| bad)?;
                Ok(Some(Packet::Line(line)))
            }
        }
    }

    /// The lines up to the next flush, or the end; delimiters are passed over.
    pub(super) fn lines(&mut self) -> Result<Vec<&'r str>, WireError> {
        let mut lines = Vec::new();
        loop {
            match self.next()? {
                Some(Packet::Line(line)) => lines.push(line),
                Some(Packet::Delimiter) => {}
                Some(Packet::Flush) | None => return Ok(lines),
            }
        }
    }
}

fn length(digits: &[u8; LENGTH]) -> Option<usize> {
    digits
        .iter()
        .try_fold(0, |length, digit| Some(length << 4 | char::from(*digit).to_digit(16)? as usize))
}

/// An answer in the making.
#[derive(Default)]
pub(super) struct Answer(Vec<u8>);

/// What a part of an answer is for, when several share one stream.
#[derive(Clone, Copy)]
pub(super) enum Band {
    Data = 1,
    /// What a person is told, line by line.
    Progress = 2,
}

impl Answer {
    pub(super) fn line(&mut self, text: &str) -> &mut Self {
        self.packet(&[text.as_bytes(), b"\n"])
    }

    pub(super) fn lines(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.line(&line);
        }
    }

    pub(super) fn packet(&mut self, parts: &[&[u8]]) -> &mut Self {
        let length = LENGTH + parts.iter().map(|part| part.len()).sum::<usize>();
        debug_assert!(length <= LONGEST, "a packet has room for what is written");
        self.0.extend(format!("{length:04x}").bytes());
        parts.iter().for_each(|part| self.0.extend_from_slice(part));
        self
    }

    pub(super) fn flush(&mut self) -> &mut Self {
        self.raw(b"0000")
    }

    pub(super) fn delimiter(&mut self) -> &mut Self {
        self.raw(b"0001")
    }

    /// Bytes on a band, in as many packets as it takes.
    pub(super) fn band(&mut self, band: Band, bytes: &[u8]) -> &mut Self {
        for chunk in bytes.chunks(LONGEST - LENGTH - 1) {
            self.packet(&[&[band as u8], chunk]);
        }
        self
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: &[u8]) -> Result<Vec<String>, WireError> {
        let mut packets = Packets::of(request);
        let mut found = Vec::new();
        while let Some(packet) = packets.next()? {
            found.push(format!("{packet:?}"));
        }
        Ok(found)
    }

    #[test]
    fn packets_are_read_as_they_are_written() {
        let mut answer = Answer::default();
        answer.line("want").delimiter().packet(&[b"a", b"b"]).flush();
        let expected = ["Line(\"want\")", "Delimiter", "Line(\"ab\")", "Flush"];
        assert_eq!(read(&answer.into_bytes()).unwrap(), expected);
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for bad in ["0003", "zzzz", "+005", "0002"] {
            assert_eq!(read(bad.as_bytes()), Err(WireError::BadLine(0)), "{bad}");
        }
        for short in ["000", "0009ab", "ffff"] {
            assert_eq!(read(short.as_bytes()), Err(WireError::CutOff), "{short}");
        }
    }

    #[test]
    fn a_band_takes_as_many_packets_as_it_needs() {
        let mut answer = Answer::default();
        answer.band(Band::Data, &vec![0; 70_000]);
        let bytes = answer.into_bytes();
        assert_eq!((&bytes[..4], bytes.len()), (&b"fff0"[..], 70_000 + 2 * 5));
    }
}
