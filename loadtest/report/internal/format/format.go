// Package format writes figures for people: three significant digits, the unit that fits, thousands grouped.
package format

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Seconds writes a latency: "850 ms", "1.20 s", "12 µs", "3 m 20 s".
func Seconds(s float64) string {
	switch a := math.Abs(s); {
	case math.IsNaN(s) || math.IsInf(s, 0):
		return "–"
	case a == 0:
		return "0"
	case a < .9995e-3:
		return significant(s*1e6) + " µs"
	case a < .9995:
		return significant(s*1e3) + " ms"
	case a < 120:
		return significant(s) + " s"
	}
	return Clock(time.Duration(s * float64(time.Second)))
}

// Clock writes a length of time to the second: "45 s", "3 m 20 s", "2 h 05 m".
func Clock(d time.Duration) string {
	s := int64(math.Round(d.Seconds()))
	switch {
	case s < 0:
		return "0 s"
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d m %02d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %02d m", s/3600, s%3600/60)
}

// Count groups thousands: "1,234,567".
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// Number writes any figure with three significant digits and no exponent: "1,230", "0.0123".
func Number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case math.Abs(v) >= 1e15:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case math.Abs(v) >= 999.5:
		return Count(int64(math.Round(v)))
	}
	return significant(v)
}

// Rate writes operations per second: "97.6/s".
func Rate(v float64) string { return Number(v) + "/s" }

// Percent writes a share: "0.12 %".
func Percent(share float64) string { return Number(share*100) + " %" }

// Bytes writes an amount in binary units: "1.50 MiB".
func Bytes(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for math.Abs(v) >= 999.5 && i < len(units)-1 {
		v /= 1024
		i++
	}
	return Number(v) + " " + units[i]
}

// significant keeps three significant digits of |v| < 1000 and drops a fraction that is all zeros.
func significant(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	s := strconv.FormatFloat(v, 'f', min(max(digits, 0), 9), 64)
	if strings.Contains(s, ".") && strings.Trim(s[strings.IndexByte(s, '.'):], ".0") == "" {
		s = s[:strings.IndexByte(s, '.')]
	}
	return strings.Replace(s, "-", "−", 1)
}
