package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/kubectl/pkg/cmd"
)

// newKubectl gives the real kubectl, pointed at the data folder; "apply" and "get" are short for its verbs.
func newKubectl(name string) *cobra.Command {
	short := map[string]string{
		"kubectl": "Run kubectl against the installation",
		"apply":   "Short for kubectl apply",
		"get":     "Short for kubectl get",
	}[name]
	return &cobra.Command{
		Use:                name,
		Short:              short,
		Example:            map[string]string{"apply": "  messagerie apply -f ministry.yaml", "get": "  messagerie get ministries"}[name],
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			dir, rest, err := takeDataFlag(args)
			if err != nil {
				return err
			}
			if name != "kubectl" {
				rest = append([]string{name}, rest...)
			}
			return runKubectl(filepath.Join(dir, "kubeconfig"), rest)
		},
	}
}

// takeDataFlag removes --data from kubectl's own arguments; all after "--" belongs to the remote command.
func takeDataFlag(args []string) (dir string, rest []string, err error) {
	dir = defaultData()
	for i := 0; i < len(args); i++ {
		value, found := strings.CutPrefix(args[i], "--data=")
		switch {
		case args[i] == "--":
			return dir, append(rest, args[i:]...), nil
		case found:
			dir = value
		case args[i] == "--data":
			if i+1 == len(args) {
				return "", nil, usagef("--data: found nothing; accepted is a folder")
			}
			i++
			dir = args[i]
		default:
			rest = append(rest, args[i])
		}
	}
	return dir, rest, nil
}

func runKubectl(kubeconfig string, args []string) error {
	if _, err := os.Stat(kubeconfig); err != nil {
		return fmt.Errorf("--data: no installation at %s; start one with: messagerie up", filepath.Dir(kubeconfig))
	}
	flags := genericclioptions.NewConfigFlags(true).WithDeprecatedPasswordFlag().WithDiscoveryBurst(300).WithDiscoveryQPS(50)
	flags.KubeConfig = &kubeconfig
	kubectl := cmd.NewDefaultKubectlCommandWithArgs(cmd.KubectlOptions{
		PluginHandler: cmd.NewDefaultPluginHandler(nil),
		Arguments:     append([]string{"kubectl"}, args...),
		ConfigFlags:   flags,
		IOStreams:     genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
	})
	kubectl.SetArgs(args)
	return kubectl.Execute()
}
