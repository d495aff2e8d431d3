package structure

import (
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-message"
)

// contentType returns the media type in lower case. One that cannot be parsed counts as text/plain
// (RFC 2045, 5.2).
func contentType(h message.Header, defaultType string) (string, map[string]string) {
	if !h.Has("Content-Type") {
		return defaultType, nil
	}
	mediaType, params, err := h.ContentType()
	typ, subtype, ok := strings.Cut(mediaType, "/")
	if err != nil || !ok || !isToken(typ) || !isToken(subtype) {
		return "text/plain", nil
	}
	return mediaType, params
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
			kept[k] = w.keep(v)
		}
	}
	return kept
}

func (w *walker) disposition(h message.Header) *imap.BodyStructureDisposition {
	if !h.Has("Content-Disposition") {
		return nil
	}
	value, params, err := h.ContentDisposition()
	if err != nil {
		value, _, _ = strings.Cut(value, ";")
		value, params = strings.ToLower(strings.TrimSpace(value)), nil
	}
	if !isToken(value) {
		return nil
	}
	return &imap.BodyStructureDisposition{Value: value, Params: w.params(params)}
}

// language splits Content-Language (RFC 3282).
func (w *walker) language(h message.Header) []string {
	const most = 16
	var tags []string
	for tag := range strings.SplitSeq(h.Get("Content-Language"), ",") {
		if tag = w.keep(strings.TrimSpace(tag)); tag != "" && len(tags) < most {
			tags = append(tags, tag)
		}
	}
	return tags
}
