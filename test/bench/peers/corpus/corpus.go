// Package corpus makes the messages that every peer is given: letters of an administration of 8 to 10 KiB, each with words and
// references of its own. The same number is the same message in every run.
package corpus

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"gouv.tg/messagerie/loadtest/content"
)

// Sizes of a message in octets.
const (
	MinBytes = 8 << 10
	MaxBytes = 10 << 10
)

const (
	seed      = 20260704
	templates = 1024
	words     = 16 // of its own in each message
	wordBytes = 10 // octets of each
)

// From is the sender of every message, on the envelope too.
const From = "agent@" + SenderDomain

// SenderDomain is a domain that no peer is responsible for.
const SenderDomain = "sender.example"

// Corpus makes messages. Safe for concurrent use.
type Corpus struct{ templates []template }

// template is a message with places that are filled in for each number.
type template struct {
	text                        []byte
	identity, reference, lexeme int // where in text: of the Message-ID, of the number in the body, and of the first word
	keyword                     int
}

const (
	blankNumber = "000000000000"
	blankWord   = "aaaaaaaaaa"
)

// New makes the templates: about 10 MB.
func New() *Corpus {
	run := content.NewRun("peers", 0, seed, content.Options{})
	rng := rand.New(rand.NewPCG(seed, 0))
	date := time.Date(2026, 7, 6, 8, 0, 0, 0, time.UTC)
	c := &Corpus{}
	for len(c.templates) < templates {
		m := run.Compose(rng, From, []string{"agents@gouv.example"}, date.Add(time.Duration(len(c.templates))*time.Minute))
		if t, ok := newTemplate(m.Raw); ok {
			c.templates = append(c.templates, t)
		}
	}
	return c
}

// newTemplate gives a composed message an identity, a keyword and a last line of its own; ok is false for one of another size.
func newTemplate(raw []byte) (t template, ok bool) {
	header, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	var b bytes.Buffer
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		if bytes.HasPrefix(line, []byte("Message-ID:")) {
			t.identity = b.Len() + len("Message-ID: <")
			line = []byte("Message-ID: <" + blankNumber + "@" + SenderDomain + ">")
		}
		b.Write(line)
		b.WriteString("\r\n")
	}
	b.WriteString("Keywords: ")
	t.keyword = b.Len()
	b.WriteString(blankWord + "\r\n\r\n")
	b.Write(body)
	b.WriteString("\r\nDossier n. ")
	t.reference = b.Len()
	b.WriteString(blankNumber + " :\r\n")
	t.lexeme = b.Len()
	for i := range words {
		b.WriteString(blankWord)
		b.WriteString([...]string{" ", " ", " ", ".\r\n"}[i%4])
	}
	t.text = b.Bytes()
	return t, len(t.text) >= MinBytes && len(t.text) <= MaxBytes
}

// Message is the message of a number.
func (c *Corpus) Message(number int) []byte {
	t := &c.templates[number%len(c.templates)]
	text := bytes.Clone(t.text)
	digits := fmt.Sprintf("%0*d", len(blankNumber), number)
	copy(text[t.identity:], digits)
	copy(text[t.reference:], digits)
	rng := rand.New(rand.NewPCG(seed, uint64(number)+1))
	copy(text[t.keyword:], word(rng.Uint64N(vocabulary)))
	at := t.lexeme
	for i := range words {
		// Some words come often and most seldom, as in any language: squaring a uniform number favours the small ones.
		n := rng.Float64()
		copy(text[at:], word(uint64(n*n*vocabulary)))
		at += wordBytes + len([...]string{" ", " ", " ", ".\r\n"}[i%4])
	}
	switch needle, place := Planted(number); place {
	case InBody:
		copy(text[t.lexeme:], needle)
	case InHeader:
		copy(text[t.keyword:], needle)
	}
	return text
}

// vocabulary is how many words there are beyond those of the letters.
const vocabulary = 200_000

// word is five syllables: never one of Needles, which have an x.
func word(n uint64) string {
	const consonants, vowels = "bdfgklmnprstvz", "aeiou"
	var b strings.Builder
	for range wordBytes / 2 {
		b.WriteByte(consonants[n%14])
		n /= 14
		b.WriteByte(vowels[n%5])
		n = n/5*2654435761 + 17
	}
	return b.String()
}
