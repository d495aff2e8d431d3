package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/version"
)

type versionInfo struct {
	Version    string `json:"version"`
	Commit     string `json:"commit"`
	Kubernetes string `json:"kubernetes"`
	Go         string `json:"go"`
	StackImage string `json:"stackImage"`
}

func newVersion() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of this build",
		Example: "  messagerie version -o json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			info := versionInfo{Version: version.Version, Commit: version.Commit, StackImage: version.StackImage()}
			if build, ok := debug.ReadBuildInfo(); ok {
				info.Go = build.GoVersion
				for _, module := range build.Deps {
					if module.Path == "k8s.io/kubernetes" {
						info.Kubernetes = module.Version
					}
				}
			}
			if output != "table" {
				return printData(cmd.OutOrStdout(), output, info)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "messagerie %s %s\nKubernetes %s\n%s\n", info.Version, info.Commit, info.Kubernetes, info.Go)
			return err
		},
	}
	outputFlag(cmd, &output, "table", "json", "yaml")
	return cmd
}
