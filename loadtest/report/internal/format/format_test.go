package format

import (
	"math"
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Seconds(0), "0"}, {Seconds(1e-6), "1.00 µs"}, {Seconds(.00099996), "1.00 ms"}, {Seconds(.9996), "1.00 s"},
		{Seconds(.0123), "12.3 ms"}, {Seconds(119.6), "120 s"}, {Seconds(200), "3 m 20 s"}, {Seconds(math.NaN()), "–"},
		{Clock(-time.Second), "0 s"}, {Clock(45 * time.Second), "45 s"}, {Clock(59900 * time.Millisecond), "1 m 00 s"}, {Clock(125 * time.Minute), "2 h 05 m"},
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(-1234567), "−1,234,567"}, {Count(math.MinInt64), "−9,223,372,036,854,775,808"},
		{Number(2), "2"}, {Number(.0123456), "0.0123"}, {Number(999.6), "1,000"}, {Number(1234.4), "1,234"}, {Number(math.Inf(1)), "–"}, {Number(-1.5), "−1.50"},
		{Rate(45), "45.0/s"}, {Percent(.00123), "0.123 %"}, {Percent(1), "100 %"}, {Percent(0), "0 %"},
		{Bytes(0), "0 B"}, {Bytes(512), "512 B"}, {Bytes(1536), "1.50 KiB"}, {Bytes(1 << 30), "1.00 GiB"},
		{Metric("imap.fetch.p99 < 500ms", .812), "812 ms"}, {Metric("imap.fetch.max<1s", 2), "2.00 s"}, {Metric("errors.rate < 0.1%", .004), "0.400 %"},
		{Metric("imap.fetch.errors.rate < 1%", .004), "0.400 %"}, {Metric("smtp.mx.rate > 2/s", 10.64), "10.6/s"}, {Metric("content.errors == 0", 3), "3"},
		{Metric("generator.lag.p99 < 50ms", .05), "50.0 ms"}, {Metric("", 1), "1"},
	} {
		if c.got != c.want {
			t.Errorf("found %q; accepted is %q", c.got, c.want)
		}
	}
}
