package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/cluster/node"
)

// finding is one thing that this machine can or cannot do.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

func newDoctor() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Show what this machine can do and what to install",
		Example: "  messagerie doctor -o json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := examine()
			if output != "table" {
				return printData(cmd.OutOrStdout(), output, findings)
			}
			w := newTable(cmd.OutOrStdout())
			fmt.Fprintln(w, "CHECK\tOK\tDETAIL")
			for _, f := range findings {
				fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, map[bool]string{true: "yes", false: "no"}[f.OK], f.Detail)
				if !f.OK && f.Hint != "" {
					fmt.Fprintf(w, "\t\t→ %s\n", f.Hint)
				}
			}
			return w.Flush()
		},
	}
	outputFlag(cmd, &output, "table", "json", "yaml")
	return cmd
}

func examine() []finding {
	var findings []finding
	for _, c := range node.Probe() {
		findings = append(findings, finding{c.Name, c.OK, c.Detail, c.Hint})
	}
	return append(findings, checkPorts(), checkKVM(),
		checkProgram("libvirt", "virsh", "needed for estates only: apt install libvirt-daemon-system qemu-system-x86"),
		checkProgram("Terraform", "terraform", "needed for estates only: install Terraform 1.11 or OpenTofu"))
}

// checkPorts tries the well-known ports that --ports standard needs.
func checkPorts() finding {
	f := finding{Name: "Well-known ports", OK: true, Detail: "25, 143, 465, 587 and 993 can be bound",
		Hint: "run as root, or use --ports with a base of 1024 or more"}
	var refused []string
	for _, port := range []int{25, 143, 465, 587, 993} {
		listener, err := net.Listen("tcp4", fmt.Sprintf("127.255.255.1:%d", port))
		if err != nil {
			refused = append(refused, fmt.Sprint(port))
			continue
		}
		listener.Close()
	}
	if len(refused) > 0 {
		f.OK, f.Detail = false, "cannot bind "+strings.Join(refused, ", ")
	}
	return f
}

// checkKVM opens the device; whether guests really boot on it only an estate's own probe tells.
func checkKVM() finding {
	f := finding{Name: "KVM", Hint: "virtual machines run under emulation, about ten times slower"}
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		f.Detail = "emulation only: " + err.Error()
		return f
	}
	device.Close()
	f.OK, f.Detail = true, "/dev/kvm opens (an estate still boots a probe before it relies on it)"
	return f
}

func checkProgram(name, program, hint string) finding {
	path, err := exec.LookPath(program)
	if err != nil {
		return finding{Name: name, Detail: program + " is not installed", Hint: hint}
	}
	return finding{Name: name, OK: true, Detail: path}
}
