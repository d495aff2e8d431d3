package gate

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteTable prints the comparison for people.
func (c Comparison) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OPERATION\tMEASURE\tA\tB\tB/A\t95 % INTERVAL\tVERDICT")
	for _, o := range c.Operations {
		fmt.Fprintf(t, "%s\trate\t%.4g/s\t%.4g/s\t%s\t\t\n", o.Name, o.RateA, o.RateB, quotient(o.RateB, o.RateA))
		if o.Reason != "" {
			fmt.Fprintf(t, "%s\tlatency\t\t\t\t\t%s: %s\n", o.Name, o.Verdict, o.Reason)
			continue
		}
		for _, q := range o.Quantiles {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t", o.Name, q.Quantile, seconds(q.A), seconds(q.B))
			if q.Reason != "" && q.Ratio == 0 {
				fmt.Fprintf(t, "\t\t%s: %s\n", q.Verdict, q.Reason)
				continue
			}
			fmt.Fprintf(t, "%.3f\t%.3f to %.3f\t%s\n", q.Ratio, q.Low, q.High, q.Verdict)
		}
		e := o.Errors
		verdict := string(Same)
		switch {
		case e.More:
			verdict = "more errors"
		case e.High < 0:
			verdict = "fewer errors"
		}
		fmt.Fprintf(t, "%s\terrors\t%.3g %%\t%.3g %%\t%+.3g %%\t%+.3g to %+.3g %%\t%s\n",
			o.Name, 100*e.A, 100*e.B, 100*e.Difference, 100*e.Low, 100*e.High, verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	verdict := string(c.Verdict)
	if c.Regression {
		verdict += ", regression"
	}
	_, err := fmt.Fprintf(w, "\nB against A: %s\n", verdict)
	return err
}

func quotient(b, a float64) string {
	if a == 0 {
		return ""
	}
	return fmt.Sprintf("%.3f", b/a)
}

// seconds writes a latency with three digits.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	round := time.Microsecond
	for round*1000 < d {
		round *= 10
	}
	return d.Round(round).String()
}
