package content

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Kinds of violations.
const (
	Lost        = "lost"        // acknowledged, and not there
	Doubled     = "doubled"     // there twice
	Flipped     = "flipped"     // other bytes than were sent
	Flag        = "flag"        // a flag is not what this run made it
	UID         = "uid"         // a UID out of order, used again, or of another message
	UIDValidity = "uidvalidity" // UIDVALIDITY changed
	Exists      = "exists"      // a message went away without EXPUNGE, or a sequence number is out of range
	ModSeq      = "modseq"      // a modseq fell, did not rise with a change, or is above HIGHESTMODSEQ
	Envelope    = "envelope"    // envelope, size or internal date changed
	Checkpoint  = "checkpoint"  // two sessions of a mailbox disagree
	Foreign     = "foreign"     // a message of somebody else
)

// Bounds of what is kept.
const (
	maxSamples      = 50
	maxKindSamples  = 10
	maxDetail       = 200 // octets
	transcriptLines = 40
	transcriptWidth = 200
)

// Violation is one broken promise.
type Violation struct {
	Kind       string    `json:"kind"`
	Account    string    `json:"account"`
	Mailbox    string    `json:"mailbox,omitempty"`
	UID        uint32    `json:"uid,omitempty"`
	Detail     string    `json:"detail"`
	At         time.Time `json:"at"`
	Transcript []string  `json:"transcript,omitempty"`
}

// reports counts violations and keeps the first.
type reports struct {
	untracked atomic.Int64

	mu      sync.Mutex
	kinds   map[string]int64
	samples []Violation
}

// add counts a violation; the transcript, which may be nil, is asked for only if the violation is kept.
func (r *reports) add(v Violation, transcript func() []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kinds == nil {
		r.kinds = map[string]int64{}
	}
	r.kinds[v.Kind]++
	if r.kinds[v.Kind] > maxKindSamples || len(r.samples) >= maxSamples {
		return
	}
	v.Detail = cut(v.Detail, maxDetail)
	if v.At.IsZero() {
		v.At = time.Now()
	}
	if transcript != nil {
		v.Transcript = presentable(transcript())
	}
	r.samples = append(r.samples, v)
}

// presentable bounds a transcript and hides what follows a command that carries a secret, should its writer not have done so.
func presentable(lines []string) []string {
	lines = lines[max(0, len(lines)-transcriptLines):]
	kept := make([]string, len(lines))
	for i, line := range lines {
		kept[i] = cut(hideSecret(line), transcriptWidth)
	}
	return kept
}

func hideSecret(line string) string {
	_, command, client := strings.Cut(line, "C: ")
	if !client {
		return line
	}
	for i, word := range strings.Fields(command) {
		switch strings.ToUpper(word) {
		case "LOGIN", "AUTH", "AUTHENTICATE":
			at := len(line) - len(command) + strings.Index(command, word) + len(word)
			if at < len(line) {
				return line[:at] + " <hidden>"
			}
		}
		if i == 1 { // after the tag
			break
		}
	}
	return line
}

func cut(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "\uFFFD")
}
