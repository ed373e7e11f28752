// Package profiles holds ready sets of rules for sites of a kind: what no visitor of such a site asks for is refused, forms that are worth
// attacking are limited, and feeds, webhooks, API clients and crawlers are spared.
//
// Each is a short YAML text with a section of rules, as a zone has one, made to be read, compared and copied. Package config reads them;
// its tests compile each, so that a broken one can't be released. Of a name that is none there is an error that says which there are.
package profiles

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.yaml
var files embed.FS

const suffix = ".yaml"

// Names are those of all profiles, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // what is embedded can be read
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), suffix))
	}
	return names
}

// Text is a profile as it is written.
func Text(name string) (string, error) {
	text, err := files.ReadFile(name + suffix)
	if err != nil {
		return "", fmt.Errorf("there is no profile %q: want one of %s", name, strings.Join(Names(), ", "))
	}
	return string(text), nil
}

// About is what a profile's first line says it is for.
func About(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(strings.TrimPrefix(first, "#"))
}
