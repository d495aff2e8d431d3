package structure

import (
	stdmime "mime"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mime"
)

// fields are the values of the fields that describe a part, besides its type; the first of each counts.
type fields struct {
	id, description, encoding, disposition, language, location string
}

func fieldsOf(header []byte) (f fields) {
	for h := range mime.Fields(header) {
		if len(h.Raw) < 8 || h.Raw[7] != '-' { // not Content-
			continue
		}
		for _, known := range [...]struct {
			name  string
			value *string
		}{
			{"Content-Id", &f.id}, {"Content-Description", &f.description}, {"Content-Transfer-Encoding", &f.encoding},
			{"Content-Disposition", &f.disposition}, {"Content-Language", &f.language}, {"Content-Location", &f.location},
		} {
			if h.Is(known.name) && *known.value == "" {
				*known.value = h.Value()
			}
		}
	}
	return f
}

// isToken follows RFC 2045, 5.1, with the length that RFC 6838, 4.2 allows.
func isToken(s string) bool {
	if s == "" || len(s) > 127 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0 {
			return false
		}
	}
	return true
}

// keep returns text as it may be shown to a client: valid UTF-8 without control characters, and empty when
// the message has used up its share.
func (w *walker) keep(s string) string {
	if s == "" {
		return ""
	}
	if len(s) > w.text {
		w.text = 0
		return ""
	}
	w.text -= len(s)
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return clean(s)
		}
	}
	return s
}

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		}
		return r // an invalid byte arrives as U+FFFD, and stays that
	}, s)
}

// decode is keep for text that may have encoded words (RFC 2047).
func (w *walker) decode(s string) string {
	if strings.Contains(s, "=?") {
		s = mime.DecodeHeader(s)
	}
	return w.keep(s)
}

func (w *walker) params(params map[string]string) map[string]string {
	if len(params) == 0 {
		return nil
	}
	kept := make(map[string]string, min(len(params), maxParams))
	for k, v := range params {
		if len(kept) == maxParams {
			break
		}
		if k = w.keep(k); k != "" {
			kept[k] = w.decode(v) // encoded words do not belong here, and are usual
		}
	}
	return kept
}

func (w *walker) disposition(v string) *imap.BodyStructureDisposition {
	if v == "" {
		return nil
	}
	value, params, err := stdmime.ParseMediaType(v)
	if err != nil {
		value, _, _ = strings.Cut(v, ";")
		value, params = strings.ToLower(strings.TrimSpace(value)), nil
	}
	if !isToken(value) {
		return nil
	}
	return &imap.BodyStructureDisposition{Value: value, Params: w.params(params)}
}

// language splits Content-Language (RFC 3282).
func (w *walker) language(v string) []string {
	const most = 16
	var tags []string
	for tag := range strings.SplitSeq(v, ",") {
		if tag = w.keep(strings.TrimSpace(tag)); tag != "" && len(tags) < most {
			tags = append(tags, tag)
		}
	}
	return tags
}
