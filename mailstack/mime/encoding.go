package mime

import "bytes"

// codec is a content transfer encoding (RFC 2045, 6).
type codec int

const (
	identity codec = iota // 7bit, 8bit, binary
	base64
	quotedPrintable
	unknownEncoding
)

// transferEncoding reads a Content-Transfer-Encoding field; without one it is 7bit (RFC 2045, 6.1).
func transferEncoding(f Field) codec {
	switch v := bytes.TrimSpace(f.value()); {
	case len(v) == 0, equalFold(v, "7bit"), equalFold(v, "8bit"), equalFold(v, "binary"):
		return identity
	case equalFold(v, "base64"):
		return base64
	case equalFold(v, "quoted-printable"):
		return quotedPrintable
	}
	return unknownEncoding
}

// Decoded returns the body without its transfer encoding; false if the encoding is not known (RFC 3516, 4.3: UNKNOWN-CTE).
// A broken encoding gives what could be read. The body itself is returned if it has no encoding.
func (p Part) Decoded() ([]byte, bool) {
	f, _ := Lookup(p.Header, "Content-Transfer-Encoding")
	return decodedBody(p.Body, transferEncoding(f))
}

func decodedBody(body []byte, transfer codec) ([]byte, bool) {
	switch transfer {
	case identity:
		return body, true
	case base64:
		return appendBase64(make([]byte, 0, len(body)/4*3+3), body), true
	case quotedPrintable:
		return appendQuotedPrintable(make([]byte, 0, len(body)), body), true
	}
	return nil, false
}

// digits maps base64's alphabet to 6 bits; notDigit for all other bytes.
var digits = func() (t [256]uint32) {
	for i := range t {
		t[i] = notDigit
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = uint32(i)
	}
	return t
}()

const notDigit = 1 << 31

// appendBase64 decodes base64 (RFC 2045, 6.8). Bytes outside the alphabet do not count, and padding ends a
// quantum, not the text: some programs join encoded pieces.
func appendBase64(dst, src []byte) []byte {
	var bits uint32
	n := 0 // digits in bits
	for i := 0; i < len(src); {
		if n == 0 {
			for i+4 <= len(src) {
				v := digits[src[i]]<<18 | digits[src[i+1]]<<12 | digits[src[i+2]]<<6 | digits[src[i+3]]
				if (digits[src[i]]|digits[src[i+1]]|digits[src[i+2]]|digits[src[i+3]])&notDigit != 0 {
					break
				}
				dst = append(dst, byte(v>>16), byte(v>>8), byte(v))
				i += 4
			}
			if i == len(src) {
				break
			}
		}
		c := src[i]
		i++
		if d := digits[c]; d != notDigit {
			bits = bits<<6 | d
			if n++; n == 4 {
				dst = append(dst, byte(bits>>16), byte(bits>>8), byte(bits))
				bits, n = 0, 0
			}
		} else if c == '=' {
			dst = flushBase64(dst, bits, n)
			bits, n = 0, 0
		}
	}
	return flushBase64(dst, bits, n)
}

// flushBase64 appends the whole bytes of an incomplete quantum of n digits.
func flushBase64(dst []byte, bits uint32, n int) []byte {
	switch n {
	case 2:
		return append(dst, byte(bits>>4))
	case 3:
		return append(dst, byte(bits>>10), byte(bits>>2))
	}
	return dst
}

// appendQuotedPrintable decodes quoted-printable (RFC 2045, 6.7). White space at the end of a line was added on the way
// (rule 3); an equals sign that begins nothing known stands for itself.
func appendQuotedPrintable(dst, src []byte) []byte {
	for len(src) > 0 {
		end := lineEnd(src, 0)
		line, eol := src[:end], []byte(nil)
		src = src[end:]
		if n := lineBreak(line); n > 0 {
			line, eol = line[:len(line)-n], line[len(line)-n:]
		}
		for n := len(line); n > 0 && (line[n-1] == ' ' || line[n-1] == '\t'); n-- {
			line = line[:n-1]
		}
		if soft := len(line) - 1; soft >= 0 && line[soft] == '=' {
			line, eol = line[:soft], nil
		}
		for i := bytes.IndexByte(line, '='); i >= 0; i = bytes.IndexByte(line, '=') {
			dst = append(dst, line[:i]...)
			for i < len(line) && line[i] == '=' {
				if c, ok := octet(line[i+1:]); ok {
					dst = append(dst, c)
					i += 3
				} else {
					dst = append(dst, '=')
					i++
				}
			}
			line = line[i:]
		}
		dst = append(append(dst, line...), eol...)
	}
	return dst
}

// octet reads two hexadecimal digits; lower case is an error of the sender (RFC 2045, 6.7, note) that is forgiven.
func octet(b []byte) (byte, bool) {
	if len(b) < 2 {
		return 0, false
	}
	high, low := nibble(b[0]), nibble(b[1])
	return high<<4 | low&15, high|low < 16
}

// nibble is the value of a hexadecimal digit; more than 15 for all else.
func nibble(c byte) byte { return nibbles[c] }

var nibbles = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['A'+i], t['a'+i] = 10+i, 10+i
	}
	return t
}()
