// copyimage: an image from a registry into container storage, by the library that podman, skopeo,
// buildah and CRI-O pull with; or out of the storage again, as files in a folder.
//
//	copyimage REGISTRY/NAME:TAG NAME:TAG
//	copyimage NAME:TAG dir:FOLDER
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/sirupsen/logrus"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/signature"
	is "go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage/pkg/reexec"
)

func references(from, to string) (source, target types.ImageReference, err error) {
	if folder, out := strings.CutPrefix(to, "dir:"); out {
		if source, err = is.Transport.ParseReference(from); err == nil {
			target, err = directory.NewReference(folder)
		}
		return
	}
	if source, err = docker.ParseReference("//" + from); err == nil {
		target, err = is.Transport.ParseReference(to)
	}
	return
}

func run(from, to string) error {
	source, target, err := references(from, to)
	if err != nil {
		return err
	}
	policy, err := signature.NewPolicyContext(&signature.Policy{
		Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}})
	if err != nil {
		return err
	}
	_, err = copy.Image(context.Background(), policy, target, source, &copy.Options{
		SourceCtx: &types.SystemContext{DockerInsecureSkipTLSVerify: types.OptionalBoolTrue}})
	return err
}

func main() {
	if reexec.Init() {
		return
	}
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: copyimage REGISTRY/NAME:TAG NAME:TAG | NAME:TAG dir:FOLDER")
		os.Exit(2)
	}
	if os.Getenv("COPYIMAGE_DEBUG") != "" {
		logrus.SetLevel(logrus.DebugLevel)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "copyimage:", err)
		os.Exit(1)
	}
}
