package target

import (
	"maps"
	"math"
	"slices"
	"strings"

	"gouv.tg/messagerie/loadtest/record"
)

// Tolerance is the share by which the counts of generator and target may differ and still agree.
const Tolerance = 0.01

// AgreementNote is to be shown beside the comparison.
const AgreementNote = "Counts over the whole run, warm-up included. Nothing is subtracted from the target's: " +
	"probes of the operator and people who work on it meanwhile add a few, and a process that dies takes what it counted " +
	"since its last sample with it. Within 1 % is agreement."

// Agreement compares what the generator counted as done with what the target counted meanwhile.
type Agreement struct {
	Operation  string  `json:"operation"` // of the generator: "imap.fetch"
	Counter    string  `json:"counter"`   // of the target, as in Report.Counters
	Generator  int64   `json:"generator"` // successes
	Target     int64   `json:"target"`
	Difference float64 `json:"difference"` // |generator - target| / the larger; 0 when both are 0
	Within     bool    `json:"within"`     // Difference is at most Tolerance
}

// counterOf names the counter of the target that grows with an operation's successes. Other labels than these are summed up.
var counterOf = map[string]string{
	"smtp.mx":      `messagerie_gateway_messages_total{listener="smtp",result="accepted"}`,
	"smtp.submit":  `messagerie_gateway_messages_total{listener="submission",result="accepted"}`,
	"lmtp.deliver": `messagerie_gateway_messages_total{listener="lmtp",result="accepted"}`,
	"smtp.login":   `messagerie_gateway_logins_total{protocol="submission",verdict="ok"}`,
	"imap.login":   `messagerie_gateway_logins_total{protocol="imap",verdict="ok"}`,
	"imap.select":  imapCommand("SELECT"),
	"imap.status":  imapCommand("STATUS"),
	"imap.list":    imapCommand("LIST"),
	"imap.fetch":   imapCommand("FETCH"),
	"imap.store":   imapCommand("STORE"),
	"imap.search":  imapCommand("SEARCH"),
	"imap.append":  imapCommand("APPEND"),
	"imap.copy":    imapCommand("COPY"),
	"imap.move":    imapCommand("MOVE"),
	"imap.noop":    imapCommand("NOOP"),
	"imap.idle":    imapCommand("IDLE"),
	"imap.expunge": imapCommand("EXPUNGE"),
	"imap.logout":  imapCommand("LOGOUT"),
}

func imapCommand(name string) string {
	return `messagerie_cell_imap_commands_total{command="` + name + `",result="ok"}`
}

// Agree fills in Agreement and Unchecked from what the generator recorded. An operation is checked when the target has the
// family of its counter at all. Those after the load are counted with their likes: the target cannot tell them apart.
func (r *Report) Agree(s *record.Snapshot) {
	r.Agreement, r.Unchecked = []Agreement{}, nil
	for _, operation := range slices.Sorted(maps.Keys(s.Operations)) {
		if strings.HasPrefix(operation, record.Settling) {
			continue
		}
		grown, known := 0.0, false
		counter := counterOf[operation]
		if wanted, _, ok := parseSeries(counter); ok {
			for key, c := range r.Counters {
				if family, of := wanted.matches(key); family {
					known = true
					if of {
						grown += c.Delta
					}
				}
			}
		}
		if !known {
			r.Unchecked = append(r.Unchecked, operation)
			continue
		}
		a := Agreement{Operation: operation, Counter: counter, Generator: successes(s, operation), Target: int64(math.Round(grown))}
		if larger := max(a.Generator, a.Target); larger > 0 {
			a.Difference = math.Abs(float64(a.Generator-a.Target)) / float64(larger)
		}
		a.Within = a.Difference <= Tolerance
		r.Agreement = append(r.Agreement, a)
	}
}

// successes are all of an operation's, those of the warm-up and of the last look with them: the series has every sample.
func successes(s *record.Snapshot, operation string) (n int64) {
	protocol, name, _ := strings.Cut(operation, ".")
	names := []string{operation}
	if protocol == "imap" {
		names = append(names, record.Settling+name)
	}
	for _, name := range names {
		if s.Series == nil {
			if o := s.Operations[name]; o != nil {
				n += o.Count
			}
			continue
		}
		for _, interval := range s.Series.Intervals {
			if c := interval.Operations[name]; c != nil {
				n += c.Count
			}
		}
	}
	return n
}

// matches tells whether key is of the family of s, and whether it has all labels of s.
func (s series) matches(key string) (family, labels bool) {
	other, _, ok := parseSeries(key)
	if !ok || other.name != s.name {
		return false, false
	}
	for _, l := range s.labels {
		if !slices.Contains(other.labels, l) {
			return true, false
		}
	}
	return true, true
}
