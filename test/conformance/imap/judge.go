package imap

import (
	"fmt"
	"slices"
	"strings"

	"gouv.tg/messagerie/test/conformance/imap/response"
	"gouv.tg/messagerie/test/conformance/imap/script"
)

// closed are the types of responses of which none may come beyond those expected, once one is expected.
var closed = []string{
	"FETCH", "UIDFETCH", "LIST", "LSUB", "STATUS", "SEARCH", "ESEARCH", "SORT", "THREAD", "EXPUNGE", "VANISHED", "ACL",
	"MYRIGHTS", "LISTRIGHTS", "QUOTA", "QUOTAROOT", "METADATA", "NAMESPACE", "ID", "ENABLED",
}

// judge compares what came with what was due.
func (r *trial) judge(c *talk, s script.Step, got []*response.Response, result *response.Response) error {
	r.sum.Responses += len(got) + 1
	got = merge(got)
	where := fmt.Sprintf("line %d: ", s.Line)
	problem := func(format string, args ...any) {
		r.problems = append(r.problems, where+s.Conn+" "+fmt.Sprintf(format, args...))
	}
	want := "OK"
	var expected *script.Expect
	for i := range s.Expect {
		if s.Expect[i].Kind == script.Result {
			expected = &s.Expect[i]
			want = ""
		}
	}
	if missing, err := r.match(c, s, got, problem); err != nil {
		return err
	} else {
		for _, e := range missing {
			problem("line %d: did not come; got %s", e.Line, list(got, e.TypeOf()))
		}
	}
	if result == nil {
		return nil
	}
	if expected == nil {
		if result.Type != want {
			problem("%s: OK was due, got %s", short(s.Text), result)
		}
		return nil
	}
	ok, err := expected.Matches(r.vars, result)
	if err != nil {
		return err
	}
	if !ok {
		problem("line %d: %s: another result was due, got %s", expected.Line, short(s.Text), result)
	}
	return nil
}

// match pairs expectations with responses and returns those that nothing met.
func (r *trial) match(c *talk, s script.Step, got []*response.Response, problem func(string, ...any)) (missing []script.Expect, err error) {
	used := make([]bool, len(got))
	var types, open []string
	for _, e := range s.Expect {
		if e.Kind == script.Result {
			continue
		}
		kind := e.TypeOf()
		if e.Kind != script.Forbidden {
			types = append(types, kind)
		}
		if e.Open() {
			open = append(open, kind)
			continue
		}
		if kind == "REMOVED" {
			if !r.removed(c, e) {
				problem("line %d: other messages were removed: %v", e.Line, c.Removed)
			}
			continue
		}
		found := false
		for i, response := range got {
			if used[i] && e.Kind != script.Forbidden {
				continue
			}
			ok, err := e.Matches(r.vars, response)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", e.Line, err)
			}
			if !ok {
				continue
			}
			if e.Kind == script.Forbidden {
				problem("line %d: must not come: %s", e.Line, response)
				continue
			}
			used[i], found = true, true
			if e.Kind != script.Optional {
				break
			}
		}
		if !found && e.Kind == script.Untagged {
			missing = append(missing, e)
		}
	}
	for i, response := range got {
		if !used[i] && slices.Contains(closed, response.Type) && slices.Contains(types, response.Type) &&
			!slices.Contains(open, response.Type) && !unsolicited(response) {
			problem("nobody expected: %s", response)
		}
	}
	return missing, nil
}

// removed compares the messages that went since the command began with "* REMOVED 1,3:4", whether EXPUNGE or VANISHED
// told of them and in whatever order.
func (r *trial) removed(c *talk, e script.Expect) bool {
	var want []int
	if len(e.Pattern) > 1 {
		text, err := r.vars.Expand(e.Pattern[1].Text)
		set, ok := response.ParseSet(text)
		if err != nil || !ok {
			return false
		}
		set.Each(100_000, func(n uint64) { want = append(want, int(n)) })
	}
	have := slices.Clone(c.Removed)
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(have, want)
}

// merge joins FETCH responses for the same message, as a client's cache does, while no message goes in between.
func merge(all []*response.Response) []*response.Response {
	var out []*response.Response
	last := map[uint64]*response.Response{}
	for _, r := range all {
		switch r.Type {
		case "EXPUNGE", "VANISHED":
			clear(last)
		case "FETCH":
			if before := last[r.Number]; before != nil {
				have := response.Items(r.Args[0])
				list := r.Args[0].List
				for i := 0; i+1 < len(before.Args[0].List); i += 2 {
					if _, ok := have[strings.ToUpper(before.Args[0].List[i].Text)]; !ok {
						list = append(list, before.Args[0].List[i], before.Args[0].List[i+1])
					}
				}
				before.Args = []response.Node{{Kind: response.List, List: list}}
				continue
			}
			last[r.Number] = r
		}
		out = append(out, r)
	}
	return out
}

// list shows the responses of a type, or all when there are none.
func list(all []*response.Response, kind string) string {
	var lines []string
	for _, r := range all {
		if r.Type == kind {
			lines = append(lines, r.String())
		}
	}
	if len(lines) == 0 {
		return "none of its type"
	}
	return strings.Join(lines, "\n\t")
}

// watch reads until every expectation of the step is met.
func (r *trial) watch(c *talk, s script.Step) error {
	for {
		values := r.vars.Clone()
		missing, err := r.match(c, s, merge(slices.Clone(c.seen)), func(string, ...any) {})
		if err != nil {
			return err
		}
		r.vars.Values = values.Values
		if len(missing) == 0 {
			return r.judge(c, s, c.take(), nil)
		}
		if _, err := c.read(); err != nil {
			return fmt.Errorf("line %d: did not come: %w; got %s", missing[0].Line, err, list(c.seen, missing[0].TypeOf()))
		}
	}
}

// unsolicited tells whether a FETCH may come at any time: news of flags and nothing else.
func unsolicited(r *response.Response) bool {
	if r.Type != "FETCH" && r.Type != "UIDFETCH" {
		return false
	}
	items := response.Items(r.Args[0])
	for name := range items {
		if name != "FLAGS" && name != "UID" && name != "MODSEQ" {
			return false
		}
	}
	_, ok := items["FLAGS"]
	return ok
}
