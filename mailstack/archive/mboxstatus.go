package archive

import (
	"bytes"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mime"
)

type statusLetter struct {
	field  string
	letter byte
	flag   imap.Flag
}

// statusLetters are flags in Status and X-Status.
var statusLetters = []statusLetter{
	{"Status", 'R', imap.FlagSeen},
	{"X-Status", 'A', imap.FlagAnswered},
	{"X-Status", 'F', imap.FlagFlagged},
	{"X-Status", 'D', imap.FlagDeleted},
	{"X-Status", 'T', imap.FlagDraft},
}

// isStatus tells whether a field is one that an mbox has for flags. Other programs use Status for words.
func isStatus(f mime.Field) bool {
	switch {
	case f.Is("Status"):
		return len(f.Value()) <= 2 && strings.Trim(f.Value(), "RO") == ""
	case f.Is("X-Status"):
		return len(f.Value()) <= 5 && strings.Trim(f.Value(), "AFDTN") == ""
	}
	return f.Is("X-Keywords")
}

// takeStatus takes the fields with flags out of a message.
func takeStatus(raw []byte) ([]byte, []imap.Flag) {
	header, body := mime.Split(raw)
	var flags []imap.Flag
	found := false
	for f := range mime.Fields(header) {
		if !isStatus(f) {
			continue
		}
		found = true
		if f.Is("X-Keywords") {
			for k := range strings.FieldsSeq(f.Value()) {
				if len(flags) < maxFlags {
					flags = append(flags, imap.Flag(k))
				}
			}
			continue
		}
		for _, s := range statusLetters {
			if f.Is(s.field) && strings.IndexByte(f.Value(), s.letter) >= 0 && !slices.Contains(flags, s.flag) {
				flags = append(flags, s.flag)
			}
		}
	}
	if !found {
		return raw, nil
	}
	return append(withoutStatus(header), body...), flags
}

// withoutStatus is the header, with its end, without the fields that have flags.
func withoutStatus(header []byte) []byte {
	out := make([]byte, 0, len(header))
	rest := header
	for f := range mime.Fields(header) {
		if !isStatus(f) {
			out = append(out, f.Raw...)
		}
		rest = rest[len(f.Raw):]
	}
	return append(out, rest...)
}

// withStatus is a message with its flags as fields at the end of the header. Fields that would be taken for flags go.
func withStatus(raw []byte, flags []imap.Flag) []byte {
	header, body := mime.Split(raw)
	header = withoutStatus(header)
	switch {
	case bytes.HasSuffix(header, []byte("\n\r\n")), string(header) == "\r\n":
		header = header[:len(header)-2]
	case len(header) > 0 && header[len(header)-1] != '\n':
		header = append(header, "\r\n"...)
	}
	letters := map[string]string{}
	var keywords []string
	for _, f := range flags {
		i := slices.IndexFunc(statusLetters, func(s statusLetter) bool { return s.flag == f })
		if i < 0 {
			keywords = append(keywords, string(f))
			continue
		}
		letters[statusLetters[i].field] += string(statusLetters[i].letter)
	}
	var b bytes.Buffer
	b.Grow(len(raw) + 256)
	b.Write(header)
	b.WriteString("Status: " + letters["Status"] + "O\r\n") // O: not recent
	if letters["X-Status"] != "" {
		b.WriteString("X-Status: " + letters["X-Status"] + "\r\n")
	}
	if len(keywords) > 0 {
		b.WriteString("X-Keywords: " + strings.Join(keywords, "\r\n\t") + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}
