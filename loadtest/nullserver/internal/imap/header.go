package imap

import (
	"bytes"
	"strconv"
)

// nextField returns the first field of a header, its folded lines and its line end included, and the rest. The empty line ends a header.
func nextField(h []byte) (field, rest []byte) {
	for i := 0; i < len(h); {
		n := bytes.IndexByte(h[i:], '\n')
		if n < 0 {
			return h, nil
		}
		i += n + 1
		if i < len(h) && (h[i] == ' ' || h[i] == '\t') {
			continue
		}
		if field := h[:i]; len(bytes.TrimRight(field, "\r\n")) > 0 {
			return field, h[i:]
		}
		return nil, nil
	}
	return nil, nil
}

// fieldName is the part before the colon, without blanks.
func fieldName(field []byte) []byte {
	name, _, _ := bytes.Cut(field, []byte{':'})
	return bytes.TrimRight(name, " \t\r\n")
}

// pickFields appends the fields with, or without, the names, and the empty line (RFC 3501, 6.4.5).
func pickFields(dst, h []byte, names []string, with bool) []byte {
	for len(h) > 0 {
		var field []byte
		if field, h = nextField(h); field == nil {
			break
		}
		name, found := fieldName(field), false
		for _, wanted := range names {
			found = found || len(name) == len(wanted) && bytes.EqualFold(name, []byte(wanted))
		}
		if found == with {
			dst = append(dst, field...)
		}
	}
	return append(dst, "\r\n"...)
}

// valueOf is the value of the first field of a name, unfolded and without blanks around it; nil when there is none.
func valueOf(h []byte, name string) []byte {
	for len(h) > 0 {
		var field []byte
		if field, h = nextField(h); field == nil {
			break
		}
		if bytes.EqualFold(fieldName(field), []byte(name)) {
			return unfold(field)
		}
	}
	return nil
}

func unfold(field []byte) []byte {
	_, value, _ := bytes.Cut(field, []byte{':'})
	value = bytes.TrimSpace(value)
	if bytes.IndexByte(value, '\n') >= 0 {
		value = bytes.ReplaceAll(bytes.ReplaceAll(value, []byte{'\r'}, nil), []byte{'\n'}, nil)
	}
	if value == nil {
		value = []byte{}
	}
	return value
}

// appendString writes a string: quoted if it can be, as a literal otherwise (RFC 3501, 4.3).
func appendString(dst, s []byte) []byte {
	for _, b := range s {
		if b < ' ' || b >= 0x7f {
			dst = append(strconv.AppendInt(append(dst, '{'), int64(len(s)), 10), "}\r\n"...)
			return append(dst, s...)
		}
	}
	dst = append(dst, '"')
	for _, b := range s {
		if b == '"' || b == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}

// appendNString is appendString, with NIL for nil.
func appendNString(dst, s []byte) []byte {
	if s == nil {
		return append(dst, "NIL"...)
	}
	return appendString(dst, s)
}
