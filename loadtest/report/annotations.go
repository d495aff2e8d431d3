package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"gouv.tg/messagerie/loadtest/gate"
)

// maxAnnotations is how many errors GitHub shows of one step.
const maxAnnotations = 10

// WriteAnnotations prints GitHub workflow commands, which show the verdict on the pull request: at most ten errors, or a
// notice for a run that passed. It is for callers that find GITHUB_ACTIONS=true.
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions
func WriteAnnotations(w io.Writer, r *Report) error {
	b := bufio.NewWriter(w)
	title := "Load test " + r.Name + ": " + r.Headline()
	if r.Verdict == gate.Pass {
		annotation(b, "notice", title, r.Sentence())
		return b.Flush()
	}
	annotation(b, "error", title, r.Sentence())
	left := maxAnnotations - 1
	for _, g := range r.Gates {
		if !g.Pass && left > 0 {
			annotation(b, "error", "Gate failed", gateText(g))
			left--
		}
	}
	for _, v := range r.Content.Samples {
		if left > 0 {
			annotation(b, "error", "Content: "+v.Kind, strings.TrimSpace(v.Account+" "+v.Mailbox)+": "+v.Detail)
			left--
		}
	}
	return b.Flush()
}

var (
	escapeMessage  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	escapeProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func annotation(w io.Writer, level, title, message string) {
	fmt.Fprintf(w, "::%s title=%s::%s\n", level, escapeProperty.Replace(title), escapeMessage.Replace(message))
}
