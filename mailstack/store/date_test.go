package store

import (
	"testing"
	"time"
)

func TestDate(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"2019-12-31T23:30:00-08:00", "2019-12-31T23:30:00-08:00"},
		{"2020-01-01T00:30:00+14:00", "2020-01-01T00:30:00+14:00"},
		{"2020-01-01T00:30:00Z", "2020-01-01T00:30:00Z"},
		{"1969-12-31T23:59:59-00:30", "1969-12-31T23:59:59-00:30"},
		{"9999-12-31T23:59:59+23:59", "9999-12-31T23:59:59+23:59"},
		{"0001-01-01T00:00:00-23:59", "0001-01-01T00:00:00-23:59"},
	} {
		in, err := time.Parse(time.RFC3339, tt.in)
		if err != nil {
			t.Fatal(err)
		}
		d := DateOf(in)
		if got := d.Time().Format(time.RFC3339); got != tt.want || d.Milli() != in.UnixMilli() {
			t.Errorf("%s became %s", tt.in, got)
		}
		if later := DateOf(in.Add(time.Millisecond).In(time.FixedZone("", -23*3600))); later <= d {
			t.Errorf("%s is not before %v", tt.in, later.Time())
		}
	}
	if far := time.Now().In(time.FixedZone("", 40*3600)); !DateOf(far).Time().Equal(time.UnixMilli(far.UnixMilli())) {
		t.Error("a zone beyond two days moved the time")
	}
}
