package imap

import (
	"flag"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

var mutations = flag.Bool("mutations", false, "spoil what the -reference says and see whether the suite notices")

// mutation is one way for a server to go wrong. Lines that match are replaced; \n in the replacement is CRLF, \b a bare
// LF at the end of the line.
type mutation struct {
	name, line, by string
	only           string // tests that ought to notice
}

var mutants = []mutation{
	{"bare LF", `^(\* \d+ EXISTS)$`, `$1\b`, "rfc9051-6.3-select"},
	{"blank at the end of a line", `^(\* LIST .*)$`, `$1 `, "rfc9051-6.3-list"},
	{"two blanks", `^(\* \d+ FETCH) (.*)$`, `$1  $2`, "rfc9051-6.4-fetch/"},
	{"CR in a line", `^(\* FLAGS .*)$`, "$1\r", "rfc9051-6.3-select"},
	{"an unknown response", `^(\* \d+ EXISTS)$`, `* XYZZY\n$1`, "rfc9051-6.3-select"},
	{"an unknown code", `^(\* OK) \[UIDNEXT \d+\]`, `$1 [NEXTUID 5]`, "rfc9051-6.3-select"},
	{"a code without its blank", `^(\* OK \[UIDNEXT \d+\]) `, `$1`, "rfc9051-6.3-select"},
	{"no text", `^(\S+ OK) [^[].*$`, `$1`, "rfc9051-6.1"},
	{"another tag", `^([A-Z]\d+) (OK .*)$`, `X$1 $2\n$1 $2`, "rfc9051-6.1"},
	{"a bare plus", `^\+ .*$`, `+`, "rfc2177"},
	{"OK for NO", `^(\S+) NO `, `$1 OK `, "rfc9051-6.3-create"},
	{"OK for BAD", `^(\S+) BAD `, `$1 OK `, "rfc3501-syntax"},
	{"NO for BAD", `^(\S+) BAD `, `$1 NO `, "rfc3501-syntax"},
	{"BAD for NO", `^(\S+) NO `, `$1 BAD `, "rfc9051-6.3-create"},
	{"NO for OK", `^(\S+) OK Rename`, `$1 NO Rename`, "rfc9051-6.3-create"},
	{"no TRYCREATE", `^(\S+ NO) \[TRYCREATE\]`, `$1`, "rfc9051-6.4-copy"},
	{"READ-WRITE for READ-ONLY", `\[READ-ONLY\]`, `[READ-WRITE]`, "rfc9051-6.3-select"},
	{"no UIDVALIDITY", `^\* OK \[UIDVALIDITY.*$`, ``, "rfc9051-6.3-select"},
	{"no UIDNEXT", `^\* OK \[UIDNEXT.*$`, ``, "rfc9051-6.3-select"},
	{"no PERMANENTFLAGS", `^\* OK \[PERMANENTFLAGS.*$`, ``, "rfc9051-6.3-select"},
	{"no FLAGS", `^\* FLAGS.*$`, ``, "rfc9051-6.3-select"},
	{"a message too many", `^\* (\d+) EXISTS$`, `* 1$1 EXISTS`, "rfc9051-6.3-select"},
	{"no EXISTS while idle", `^\* 3 EXISTS$`, ``, "rfc2177"},
	{"no BYE", `^\* BYE.*$`, ``, "rfc9051-6.1"},
	{"no expunge", `^\* 2 EXPUNGE$`, ``, "rfc9051-6.4-expunge"},
	{"an expunge twice", `^(\* \d+ EXPUNGE)$`, `$1\n$1`, "rfc9051-6.4-expunge"},
	{"an expunge beyond the mailbox", `^\* (\d+) EXPUNGE$`, `* 10$1 EXPUNGE`, "rfc9051-6.4-expunge"},
	{"an expunge during FETCH", `^(\* 1 FETCH .*)$`, `* 1 EXPUNGE\n$1`, "rfc9051-6.4-fetch/"},
	{"EXISTS that falls", `^(\S+ OK Fetch.*)$`, `* 0 EXISTS\n$1`, "rfc9051-6.4-fetch/"},
	{"FETCH without UID", `^(\* \d+ FETCH \()UID \d+ `, `$1`, "rfc9051-6.4-fetch/UID"},
	{"another UID", `^(\* 2 FETCH \(UID )\d+`, `${1}777`, "rfc9051-6.4-fetch/UID"},
	{"UID 0", `^(\* \d+ FETCH \(UID )\d+`, `${1}0`, "rfc9051-6.4-fetch/UID"},
	{"a UID with a leading zero", `^(\* \d+ FETCH \(UID )`, `${1}0`, "rfc9051-6.4-fetch/UID"},
	{"flags lost", `^(\* \d+ FETCH .*FLAGS \()\\Seen`, `$1`, "rfc9051-6.4-store"},
	{"a flag twice", `^(\* \d+ FETCH .*FLAGS \()(\\Seen)`, `$1$2 $2`, "rfc9051-6.4-store"},
	{"an item twice", `^(\* \d+ FETCH \()(UID \d+)`, `$1$2 $2`, "rfc9051-6.4-fetch/UID"},
	{"another message", `^\* 1 FETCH`, `* 2 FETCH`, "rfc9051-6.4-fetch/"},
	{"a size that is wrong", `RFC822.SIZE (\d+)`, `RFC822.SIZE 1$1`, "rfc9051-6.4-fetch/"},
	{"a literal's size that is wrong", `\{304\}$`, `{303}`, "rfc9051-6.4-fetch/BODY"},
	{"a date without quotes", `INTERNALDATE "(\S+) [^"]*"`, `INTERNALDATE $1`, "rfc9051-6.4-fetch/"},
	{"another date", `INTERNALDATE "17-Jul-1996`, `INTERNALDATE "18-Jul-1996`, "rfc9051-6.4-copy"},
	{"an origin lost", `BODY\[TEXT\]<\d+>`, `BODY[TEXT]`, "rfc9051-6.4-fetch/partial"},
	{"a section in lower case with a blank", `BODY\[TEXT\]`, `BODY[ TEXT]`, "rfc9051-6.4-fetch/"},
	{"an empty list for NIL", `^(\* \d+ FETCH \(ENVELOPE .*) NIL`, `$1 ()`, "rfc9051-7.5-envelope"},
	{"NIL for a name", `"From Real"`, `NIL`, "rfc9051-7.5-envelope"},
	{"blanks between addresses", `\)\(`, `) (`, "rfc9051-7.5"},
	{"a body's type as an atom", `"text"`, `text`, "rfc9051-7.5-bodystructure"},
	{"lines lost", `("7bit" \d+) \d+`, `$1`, "rfc9051-7.5-bodystructure"},
	{"octets in quotes", `"7bit" (\d+)`, `"7bit" "$1"`, "rfc9051-7.5-bodystructure"},
	{"a subtype lost", ` "mixed"`, ``, "rfc9051-7.5-bodystructure"},
	{"another number found", `^(\* SEARCH) (\d+)`, `$1 9$2`, "rfc9051-6.4-search"},
	{"a number lost", `^(\* SEARCH.*) \d+$`, `$1`, "rfc9051-6.4-search"},
	{"no SEARCH", `^\* SEARCH$`, ``, "rfc9051-6.4-search"},
	{"0 found", `^(\* SEARCH)$`, `$1 0`, "rfc9051-6.4-search"},
	{"another order", `^(\* SORT) (\d+) (\d+)`, `$1 $3 $2`, "rfc5256-sort/"},
	{"blanks in THREAD", `^(\* THREAD.*\))(\(.*)$`, `$1 $2`, "rfc5256-thread"},
	{"a thread joined", `^(\* THREAD.*)\)\((.*)$`, `$1 $2`, "rfc5256-thread"},
	{"ESEARCH without its tag", `^(\* ESEARCH) \(TAG "[^"]*"\)`, `$1`, "rfc4731"},
	{"ESEARCH with another tag", `^(\* ESEARCH \(TAG ")`, `${1}x`, "rfc4731"},
	{"ESEARCH without UID", `^(\* ESEARCH \(TAG "[^"]*"\)) UID`, `$1`, "rfc4731"},
	{"COUNT off by one", `COUNT 3`, `COUNT 4`, "rfc4731"},
	{"a mailbox not listed", `^\* LIST .*/a"?$`, ``, "rfc9051-6.3-list"},
	{"a mailbox listed twice", `^(\* LIST .*/a"?)$`, `$1\n$1`, "rfc9051-6.3-list"},
	{"another separator", `^(\* LIST \([^)]*\)) "/"`, `$1 "."`, "rfc9051-6.3-list"},
	{"no separator", `^(\* LIST \([^)]*\)) "/" c`, `$1 NIL c`, "rfc9051-6.3-list"},
	{"children denied", `\\HasChildren`, `\HasNoChildren`, "rfc9051-6.3-list"},
	{"attributes that contradict each other", `\\HasChildren`, `\HasChildren \HasNoChildren`, "rfc9051-6.3-list"},
	{"a name in UTF-8", `&AOk-l&AOg-ve`, "\u00e9l\u00e8ve", "rfc9051-6.3-create"},
	{"STATUS off by one", `(STATUS .*MESSAGES )(\d+)`, `${1}1$2`, "rfc9051-6.3-status"},
	{"STATUS without UNSEEN", `(STATUS .*) UNSEEN \d+`, `$1`, "rfc9051-6.3-status"},
	{"APPENDUID of another", `(APPENDUID \d+ )(\d+)`, `${1}1$2`, "rfc4315"},
	{"COPYUID with sets of two sizes", `(COPYUID \d+ \S+ )\S+\]`, `${1}1]`, "rfc4315"},
	{"no COPYUID", `\[COPYUID [^]]*\] `, ``, "rfc4315"},
	{"sequences that fall", `MODSEQ \(\d+\)`, `MODSEQ (1)`, "rfc7162-condstore"},
	{"sequences without brackets", `MODSEQ \((\d+)\)`, `MODSEQ $1`, "rfc7162-condstore"},
	{"no sequences", ` MODSEQ \(\d+\)`, ``, "rfc7162-condstore"},
	{"HIGHESTMODSEQ 0", `HIGHESTMODSEQ \d+\]`, `HIGHESTMODSEQ 0]`, "rfc7162-condstore"},
	{"no MODIFIED", `\[MODIFIED [^]]*\] `, ``, "rfc7162-condstore"},
	{"no EARLIER", `VANISHED \(EARLIER\)`, `VANISHED`, "rfc7162-qresync"},
	{"VANISHED for another", `^(\* VANISHED .*)$`, `${1}9`, "rfc7162-qresync"},
	{"EXPUNGE for VANISHED", `^\* VANISHED .*$`, `* 1 EXPUNGE`, "rfc7162-qresync"},
	{"no CLOSED", `^\* OK \[CLOSED\].*$`, ``, "rfc7162-qresync"},
	{"ENABLED of what is not", `^\* ENABLED`, `* ENABLED X-MORE`, "rfc5161"},
	{"capabilities without a revision", `IMAP4rev1 `, ``, "rfc9051-6.1"},
	{"a capability twice", `IMAP4rev1 `, `IMAP4rev1 IMAP4rev1 `, "rfc9051-6.1"},
	{"a namespace without its separator", `NAMESPACE \(\("" "/"\)\)`, `NAMESPACE (("" ))`, "rfc2342"},
	{"a field of ID without a value", `^\* ID .*$`, `* ID ("name")`, "rfc2971"},
	{"a quota without its limit", `(QUOTA "[^"]*" \(STORAGE \d+) \d+`, `$1`, "rfc9208"},
	{"rights in capitals", `^(\* MYRIGHTS \S+) \S+$`, `$1 LRS`, "rfc4314"},
	{"an annotation lost", `^\* METADATA .*$`, ``, "rfc5464"},
	{"STATUS in vain", `^(\S+ OK NOTIFY)`, `* STATUS nobody ()\n$1`, "rfc5465-notify/"},
	{"base64 that is none", `^\+ $`, `+ ???`, "rfc4616"},
}

// TestMutations proves that the suite can fail: every way to spoil a good server's responses is noticed by the tests
// that ought to notice it, and none of them fails while nothing is spoiled.
func TestMutations(t *testing.T) {
	if !*mutations {
		t.Skip("takes minutes: -mutations -reference dovecot")
	}
	target := startReference(t, *peer)
	for _, m := range append([]mutation{{name: "none", line: `^$^`, only: `^rfc[^4]|^rfc4[^9]`}}, mutants...) {
		if *only != "" && !strings.Contains(m.name, *only) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			pattern := regexp.MustCompile(m.line)
			by := strings.NewReplacer(`\n`, "\r\n").Replace(m.by)
			bare := strings.HasSuffix(by, `\b`)
			by = strings.TrimSuffix(by, `\b`)
			spoilt := 0
			p := startProxy(t, target.Addr, target.TLS, func(line string) string {
				if !pattern.MatchString(line) {
					return line + "\r\n"
				}
				spoilt++
				switch {
				case m.by == "":
					if line = pattern.ReplaceAllString(line, ""); line == "" {
						return ""
					}
					return line + "\r\n"
				case bare:
					return pattern.ReplaceAllString(line, by) + "\n"
				}
				return pattern.ReplaceAllString(line, by) + "\r\n"
			})
			mutant := target
			mutant.Addr, mutant.TLS, mutant.PlainAddr, mutant.Timeout = p.addr, nil, "", 2*time.Second
			mutant.Only = regexp.MustCompile(m.only)
			failed, err := failures(mutant, m.by == "" && m.line == `^$^`)
			switch {
			case m.name == "none" && (err != nil || len(failed) > 0):
				t.Errorf("fails although nothing is spoiled: %v %v", err, failed)
			case m.name != "none" && spoilt == 0:
				t.Error("nothing was spoiled")
			case m.name != "none" && err == nil && len(failed) == 0:
				t.Error("not noticed")
			}
		})
	}
}

// failures runs tests as Run does and returns the first failures, known deviations apart; all of them when asked.
func failures(target Target, all bool) ([]string, error) {
	scripts, err := load()
	if err != nil {
		return nil, err
	}
	reasons, err := allowed(target.Allow)
	if err != nil {
		return nil, err
	}
	b := &bench{target: target, run: fmt.Sprintf("c%03x", time.Now().UnixMilli()/100&0xfff)}
	if err := b.open(); err != nil {
		return nil, err
	}
	defer b.close()
	var failed []string
	for _, s := range scripts {
		for _, test := range s.Tests {
			name := s.Name + "/" + test.Title
			needs := append(append([]string{}, s.Needs...), test.Needs...)
			if !target.Only.MatchString(name) || reasons[name] != "" || lacks(needs, b.capabilities, target) != "" {
				continue
			}
			if problems, _ := b.test(s, test); len(problems) > 0 {
				failed = append(failed, name+": "+problems[0])
				if !all {
					return failed, nil
				}
			}
		}
	}
	return failed, nil
}
