package accounts

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"gouv.tg/messagerie/api/v1alpha1"
)

const header = "address,name,entity,service,password\n"

func rules() Rules {
	m := &v1alpha1.Ministry{}
	m.Name = "finances"
	m.Spec.Domains = []v1alpha1.DomainName{"finances.gouv.tg"}
	m.Spec.Entities = []v1alpha1.Entity{{Name: "douanes", Services: []v1alpha1.Service{{Name: "lome"}}}}
	return NewRules(m, "gouv.tg")
}

func zip(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestParse(t *testing.T) {
	const good = header + "a.b@gouv.tg,A B,douanes,lome,\nC.D@finances.gouv.tg,C D,,,{SSHA256}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	for _, c := range []struct {
		name, text string
		want       []string // parts of the message; none: accepted
	}{
		{"good", good, nil},
		{"empty", "", []string{"accounts.csv: line 1", "empty"}},
		{"other domain", header + "a@gouv.tg,,,,\n\nb@elsewhere.tg,,,,\n", []string{"line 4, column address", `"b@elsewhere.tg"`, "finances.gouv.tg, gouv.tg"}},
		{"no address", header + "nobody,,,,\n", []string{"line 2, column address", `"nobody"`, "local@domain"}},
		{"unknown entity", header + "a@gouv.tg,,impots,,\n", []string{"line 2, column entity", `"impots"`, "spec.entities"}},
		{"unknown service", header + "a@gouv.tg,,douanes,kara,\n", []string{"line 2, column service", `"kara"`, "douanes"}},
		{"service alone", header + "a@gouv.tg,,,lome,\n", []string{"line 2, column service", "without an entity"}},
		{"password in clear", header + "a@gouv.tg,,,,hunter2\n", []string{"line 2, column password", "accounts import"}},
		{"twice", header + "a@gouv.tg,,,,\nA@gouv.tg,,,,\n", []string{"line 3, column address", "first on line 2"}},
		{"many mistakes", header + strings.Repeat("x@a.tg,,,,\n", 1) + "y@a.tg,,,,\n", []string{"line 2", "line 3"}},
	} {
		for _, zipped := range []bool{false, true} {
			f := file{where: "accounts.csv", data: []byte(c.text), gzip: zipped}
			if zipped {
				f.data = zip(t, c.text)
			}
			rows, err := f.parse(rules())
			if len(c.want) == 0 {
				if err != nil || len(rows) != 2 {
					t.Errorf("%s: %d rows, %v", c.name, len(rows), err)
				}
				continue
			}
			problem, ok := AsProblem(err)
			if !ok || problem.Reason != v1alpha1.ReasonInvalidAccounts {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			for _, part := range c.want {
				if !strings.Contains(problem.Message, part) {
					t.Errorf("%s: %q does not say %q", c.name, problem.Message, part)
				}
			}
			if strings.Contains(problem.Message, "hunter2") {
				t.Errorf("%s: the message tells a password", c.name)
			}
		}
	}
}

func TestMistakesAreBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString(header)
	for i := range 500 {
		text.WriteString("a" + strings.Repeat("b", i%50) + string(rune('a'+i/50)) + "@elsewhere.tg,,,,\n")
	}
	_, err := file{where: "x", data: []byte(text.String())}.parse(rules())
	if err == nil || !strings.HasSuffix(err.Error(), "and 490 more") || len(err.Error()) > 4096 {
		t.Errorf("error of %d characters: %.200v", len(err.Error()), err)
	}
}

func TestMerge(t *testing.T) {
	index := map[string]int{}
	parse := func(text string) []string {
		rows, err := file{data: []byte(header + text)}.parse(rules())
		if err != nil {
			t.Fatal(err)
		}
		all := merge(nil, index, rows)
		var out []string
		for _, a := range all {
			out = append(out, a.Address)
		}
		return out
	}
	if got := parse("b@gouv.tg,B,,,\na@gouv.tg,A,,,\n"); len(got) != 2 || got[0] != "b@gouv.tg" {
		t.Errorf("order = %v", got)
	}
	first, err := file{data: []byte(header + "a@gouv.tg,A,douanes,lome,\n")}.parse(rules())
	if err != nil {
		t.Fatal(err)
	}
	second, err := file{data: []byte(header + "a@gouv.tg,,douanes,,{SSHA256}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")}.parse(rules())
	if err != nil {
		t.Fatal(err)
	}
	index = map[string]int{}
	all := merge(merge(nil, index, first), index, second)
	if len(all) != 1 || all[0].Name != "A" || all[0].Service != "" || all[0].Password == "" {
		t.Errorf("merged = %+v", all)
	}
}

// FuzzParse: whatever stands in a source, it is accepted or refused with a Problem.
func FuzzParse(f *testing.F) {
	f.Add([]byte(header+"a@gouv.tg,A,,,\n"), false)
	f.Add([]byte(header+"\r\n\"a@x.tg\",A,,,\r\n"), false)
	f.Add(zip(f, header+"b@elsewhere.tg,,,,\n"), true)
	f.Add([]byte{0x1f, 0x8b, 8}, true)
	f.Fuzz(func(t *testing.T, data []byte, zipped bool) {
		rows, err := file{where: "x", data: data, gzip: zipped}.parse(rules())
		if err != nil {
			if _, ok := AsProblem(err); !ok {
				t.Errorf("%v is no Problem", err)
			}
			return
		}
		for _, a := range rows {
			if column, text := rules().check(a); text != "" {
				t.Errorf("%s: %s", column, text)
			}
		}
	})
}
