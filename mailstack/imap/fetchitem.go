package imap

import (
	"bytes"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
)

// item writes one data item of a FETCH response (RFC 9051, 7.5.2). part is what BINARY asks for.
func (f *fetcher) item(item *syntax.FetchItem, m *mailbox.Message, content *computed, raw, part []byte) {
	w := f.s.w
	switch item.Kind {
	case syntax.FetchUID:
		w.Raw("UID ")
		w.Number(uint64(m.UID))
	case syntax.FetchFlags:
		w.Raw("FLAGS (")
		f.s.flags(m)
		w.Raw(")")
	case syntax.FetchInternalDate:
		w.Raw("INTERNALDATE ")
		w.DateTime(m.Date.Time())
	case syntax.FetchSize:
		w.Raw("RFC822.SIZE ")
		w.Number(uint64(m.Size))
	case syntax.FetchEnvelope:
		w.Raw("ENVELOPE ")
		w.Bytes(content.Envelope)
	case syntax.FetchBody:
		w.Raw("BODY ")
		w.Bytes(content.body)
	case syntax.FetchBodyStructure:
		w.Raw("BODYSTRUCTURE ")
		w.Bytes(content.Structure)
	case syntax.FetchRFC822:
		w.Raw("RFC822 ")
		w.LiteralBytes(withoutNUL(raw))
	case syntax.FetchRFC822Header:
		w.Raw("RFC822.HEADER ")
		w.LiteralBytes(withoutNUL(section(raw, &syntax.Section{Specifier: imap.PartSpecifierHeader})))
	case syntax.FetchRFC822Text:
		w.Raw("RFC822.TEXT ")
		w.LiteralBytes(withoutNUL(section(raw, &syntax.Section{Specifier: imap.PartSpecifierText})))
	case syntax.FetchBodySection:
		w.Raw("BODY")
		syntax.WriteSection(w, item.Section)
		w.SP()
		w.LiteralBytes(withoutNUL(section(raw, item.Section)))
	case syntax.FetchBinary: // RFC 3516, 4.2
		w.Raw("BINARY")
		syntax.WriteSection(w, item.Section)
		w.SP()
		w.LiteralBytes8(partial(part, item.Section.Partial))
	case syntax.FetchBinarySize: // RFC 3516, 4.3
		w.Raw("BINARY.SIZE")
		syntax.WriteSection(w, item.Section)
		w.SP()
		w.Number(uint64(len(part)))
	case syntax.FetchModSeq: // RFC 7162, 3.1.5
		w.Raw("MODSEQ (")
		w.Number(m.ModSeq)
		w.Raw(")")
	case syntax.FetchEmailID: // RFC 8474, 5.1
		w.Raw("EMAILID (" + m.Content.String() + ")")
	case syntax.FetchThreadID: // RFC 8474, 5.2
		w.Raw("THREADID (" + content.Thread.String() + ")")
	case syntax.FetchPreview: // RFC 8970, 3.1
		w.Raw("PREVIEW ")
		w.String(content.Preview)
	case syntax.FetchSaveDate: // RFC 8514, 4.2
		w.Raw("SAVEDATE ")
		w.DateTime(time.UnixMilli(m.SaveDate).UTC())
	}
}

// withoutNUL puts 0x80 in the place of NUL, which no literal may hold (RFC 9051, 9: CHAR8); BINARY gives it as it is.
func withoutNUL(text []byte) []byte {
	if bytes.IndexByte(text, 0) < 0 {
		return text
	}
	return bytes.ReplaceAll(text, []byte{0}, []byte{0x80})
}

// binaries decodes the parts that BINARY items ask for, before anything of the response is written: a part of unknown
// encoding refuses the command (RFC 3516, 4.2).
func (f *fetcher) binaries(raw []byte) (parts [][]byte, err error) {
	parts = make([][]byte, len(f.items))
	for i, item := range f.items {
		if item.Kind == syntax.FetchBinary || item.Kind == syntax.FetchBinarySize {
			if parts[i], err = binarySection(raw, item.Section); err != nil {
				return nil, err
			}
		}
	}
	return parts, nil
}

var errUnknownCTE = no(imap.ResponseCodeUnknownCTE, "The transfer encoding of this part is not known")
