package imap

import (
	"bytes"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mime"
)

// Relevancy of messages to a fuzzy search, from 1 to 100 (RFC 6203, 4): what stands in the subject counts most, then who it
// is from or to. How loosely FUZZY matches is a server's choice; here all searches disregard case and accents alike.
const (
	scoreFound   = 40
	scoreSubject = 40
	scoreAddress = 20
)

// fuzzyTexts returns the texts of the FUZZY keys, folded.
func fuzzyTexts(key syntax.SearchKey, fuzzy bool) (texts [][]byte, found bool) {
	add := func(keys ...syntax.SearchKey) {
		for _, k := range keys {
			more, has := fuzzyTexts(k, fuzzy)
			texts, found = append(texts, more...), found || has
		}
	}
	switch k := key.(type) {
	case syntax.And:
		add(k...)
	case syntax.Or:
		add(k...)
	case syntax.Not:
		add(k.Key)
	case syntax.Fuzzy:
		texts, _ = fuzzyTexts(k.Key, true)
		return texts, true
	case syntax.Text:
		texts = append(texts, mime.Fold(nil, []byte(k.Value)))
	case syntax.Body:
		texts = append(texts, mime.Fold(nil, []byte(k.Value)))
	case syntax.Header:
		texts = append(texts, mime.Fold(nil, []byte(k.Value)))
	}
	if !fuzzy && !found {
		return nil, false
	}
	return texts, found
}

// score is the relevancy of a message that was found.
func score(m *candidate, texts [][]byte) uint32 {
	total := uint32(scoreFound)
	for _, part := range []struct {
		names []string
		score uint32
	}{{[]string{"SUBJECT"}, scoreSubject}, {[]string{"FROM", "TO", "CC"}, scoreAddress}} {
		if envelopeHas(m, part.names, texts) {
			total += part.score
		}
	}
	return total
}

func envelopeHas(m *candidate, names []string, texts [][]byte) bool {
	for _, name := range names {
		for _, text := range texts {
			if len(bytes.TrimSpace(text)) > 0 && envelopeContains(m.envelope, name, text) {
				return true
			}
		}
	}
	return false
}
