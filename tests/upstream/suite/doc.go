// Package suite holds upstream's own tests, to be run against a webhook in a cluster that is there already.
package suite
