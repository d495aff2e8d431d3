package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"gouv.tg/messagerie/mailstack/migration/pull"
)

// printPlan shows what a dry run has found out.
func (f *pullFlags) printPlan(out io.Writer, plan pull.Plan) error {
	if f.output != "table" {
		if err := printData(out, f.output, plan); err != nil {
			return err
		}
	} else {
		w := newTable(out)
		fmt.Fprintln(w, "USER\tADDRESS\tVERDICT\tMAILBOXES\tSENT AS IT\tRECEIVED FOR IT\tWHY")
		for _, e := range plan.Evidence {
			verdict := string(e.Verdict)
			if e.Verdict != pull.Agrees && !e.Refused() {
				verdict = "forced"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", plain(e.User), e.Address, verdict, e.Mailboxes, sampleText(e.Sent), sampleText(e.Inbox),
				plain(strings.Join(e.Reasons, "; ")))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if plan.Code == "" {
		fmt.Fprintln(os.Stderr, "\nRows are refused: correct them, take them out, or give a reason in the column force. Those that failed cannot be forced.")
		return exitError(exitFailure)
	}
	if f.output == "table" {
		fmt.Fprintf(out, "\nNothing was copied. Read the table, and copy with: --confirm %s\n", plan.Code)
	}
	return nil
}

// sampleText is how many of the messages looked at name the address.
func sampleText(s pull.Sample) string {
	switch {
	case s.Messages == 0:
		return "-"
	case s.Other == "":
		return fmt.Sprintf("%d of %d", s.Ours, s.Messages)
	}
	return fmt.Sprintf("%d of %d (%s: %d)", s.Ours, s.Messages, plain(s.Other), s.Others)
}

// printProof shows what was copied.
func (f *pullFlags) printProof(out io.Writer, proof pull.Proof) error {
	if f.output != "table" {
		if err := printData(out, f.output, proof); err != nil {
			return err
		}
	} else {
		for _, a := range proof.Accounts {
			for _, p := range a.Problems {
				fmt.Fprintf(out, "%s: %s\n", a.Address, plain(p))
			}
			for _, m := range a.Mailboxes {
				for _, p := range m.Problems {
					fmt.Fprintf(out, "%s: %s: %s\n", a.Address, plain(m.Mailbox), plain(p))
				}
				if m.Missing > 0 {
					fmt.Fprintf(out, "%s: %s: %d of %d messages are not copied\n", a.Address, plain(m.Mailbox), m.Missing, m.Present)
				}
				if m.Verified < m.Copied {
					fmt.Fprintf(out, "%s: %s: %d of %d copies are not the same here\n", a.Address, plain(m.Mailbox), m.Copied-m.Verified, m.Copied)
				}
			}
		}
		t := proof.Totals
		fmt.Fprintf(out, "%d accounts, %d mailboxes, %d messages, %d bytes verified; %d accounts disagree; proof: %s\n",
			t.Accounts, t.Mailboxes, t.Messages, t.Bytes, t.Disagree, proof.File)
	}
	if !proof.Agree {
		return exitError(exitFailure)
	}
	return nil
}
