package directory

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestParseCSV(t *testing.T) {
	const in = "\xef\xbb\xbfAddress, name,entity,service,password\r\n" +
		"Afi.Mensah@gouv.tg,\"Mensah, Afi\",Budget,Suivi, pass word \r\n" +
		"\r\n" +
		"kofi@finances.gouv.tg,,,," + "\r\n"
	want := []Account{
		{"afi.mensah@gouv.tg", "Mensah, Afi", "Budget", "Suivi", " pass word "},
		{Address: "kofi@finances.gouv.tg"},
	}
	got, err := ParseCSV(strings.NewReader(in))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseCSV = %+v, %v; want %+v", got, err, want)
	}
	got, err = ParseCSV(strings.NewReader("service,entity,name,address\nS,E,N,a@gouv.tg\n"))
	if err != nil || len(got) != 1 || got[0] != (Account{"a@gouv.tg", "N", "E", "S", ""}) {
		t.Errorf("columns in another order: %+v, %v", got, err)
	}
}

func TestParseCSVMistakes(t *testing.T) {
	const head = "address,name,entity,service,password\n"
	for name, tc := range map[string]struct {
		in, column string
		line       int
	}{
		"empty":           {"", "", 1},
		"no header":       {"a@gouv.tg,A,B,C,D\n", "", 1},
		"column missing":  {"address,name,entity\n", "", 1},
		"column twice":    {"address,name,entity,service,name\n", "", 1},
		"semicolons":      {"address;name;entity;service\n", "", 1},
		"bad address":     {head + "a@gouv.tg,,,,\nnobody,,,,\n", "address", 3},
		"twice":           {head + "a@gouv.tg,,,,\nA@GOUV.TG,,,,\n", "address", 3},
		"too few fields":  {head + "a@gouv.tg,A\n", "", 2},
		"too many fields": {head + "a@gouv.tg,,,,,\n", "", 2},
		"bad quote":       {head + "a@gouv.tg,\"A,,,\n", "", 2},
		"bad hash":        {head + "a@gouv.tg,,,,{MD5}x\n", "password", 2},
		"long field":      {head + "a@gouv.tg," + strings.Repeat("x", 1025) + ",,,\n", "name", 2},
		"not UTF-8":       {head + "a@gouv.tg,\xff,,,\n", "name", 2},
		"control":         {head + "a@gouv.tg,,\"a\nb\",,\n", "entity", 2},
	} {
		got, err := ParseCSV(strings.NewReader(tc.in))
		var e *CSVError
		if !errors.As(err, &e) || got != nil {
			t.Errorf("%s: %v, %v; want a *CSVError", name, got, err)
			continue
		}
		if e.Line != tc.line || e.Column != tc.column {
			t.Errorf("%s: %v; want line %d, column %q", name, e, tc.line, tc.column)
		}
	}
}

type endless struct{ line string }

func (e *endless) Read(b []byte) (int, error) { return copy(b, e.line), nil }

func TestParseCSVIsBounded(t *testing.T) {
	in := io.MultiReader(strings.NewReader("address,name,entity,service\na@gouv.tg,\""), &endless{strings.Repeat("x\n", 2048)})
	var e *CSVError
	if _, err := ParseCSV(in); !errors.As(err, &e) {
		t.Errorf("a file without end: %v", err)
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add("address,name,entity,service,password\na@gouv.tg,A,B,C,D\n")
	f.Add("address,name,entity,service\n\"a@gouv.tg\",\"\"\"\",,\n")
	f.Fuzz(func(t *testing.T, in string) {
		accounts, err := ParseCSV(strings.NewReader(in))
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, a := range accounts {
			if n, err := NormalizeAddress(a.Address); err != nil || n != a.Address || seen[a.Address] {
				t.Fatalf("address %q: %v", a.Address, err)
			}
			seen[a.Address] = true
			if strings.ContainsAny(a.Name+a.Entity+a.Service, "\r\n\x00") {
				t.Fatalf("account %+v holds control characters", a)
			}
		}
	})
}
