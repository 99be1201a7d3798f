//go:build cgo

package analysis

import (
	"sync"

	"github.com/smacker/go-tree-sitter/bash"
	"github.com/smacker/go-tree-sitter/c"
	"github.com/smacker/go-tree-sitter/cpp"
	"github.com/smacker/go-tree-sitter/csharp"
	"github.com/smacker/go-tree-sitter/css"
	"github.com/smacker/go-tree-sitter/dockerfile"
	"github.com/smacker/go-tree-sitter/golang"
	"github.com/smacker/go-tree-sitter/hcl"
	"github.com/smacker/go-tree-sitter/html"
	"github.com/smacker/go-tree-sitter/java"
	"github.com/smacker/go-tree-sitter/javascript"
	"github.com/smacker/go-tree-sitter/kotlin"
	"github.com/smacker/go-tree-sitter/php"
	"github.com/smacker/go-tree-sitter/protobuf"
	"github.com/smacker/go-tree-sitter/python"
	"github.com/smacker/go-tree-sitter/ruby"
	"github.com/smacker/go-tree-sitter/rust"
	"github.com/smacker/go-tree-sitter/scala"
	"github.com/smacker/go-tree-sitter/sql"
	"github.com/smacker/go-tree-sitter/swift"
	"github.com/smacker/go-tree-sitter/typescript/tsx"
	"github.com/smacker/go-tree-sitter/typescript/typescript"
	"github.com/smacker/go-tree-sitter/yaml"
)

// table is every language, in the order in which extensions are looked up. Nobody changes it, so it is made once.
var table = sync.OnceValue(func() []Language {
	rows := rows()
	for i := range rows {
		if rows[i].folders == nil {
			rows[i].folders = []string{rows[i].Name}
		}
	}
	return rows
})

// rows is the table as it is written. Adding a language is a row here and a folder of queries.
func rows() []Language {
	return []Language{
		{
			Name: "bash", linguist: "Shell", aliases: []string{"shell", "sh"},
			Extensions: []string{".sh", ".bash", ".zsh", ".ksh"}, interpreters: []string{"sh", "bash", "dash", "zsh", "ksh"},
			grammar: bash.GetLanguage,
			rules:   rules{exported: exportedUnlessPrivate, oncePerScope: true, rawNames: true},
		},
		{
			Name: "c", linguist: "C", Extensions: []string{".c", ".h"}, folders: []string{"c", "clike"}, grammar: c.GetLanguage,
			rules: rules{exported: exportedByLinkage, localsToo: true},
		},
		{
			Name: "cpp", linguist: "C++", aliases: []string{"c++"},
			Extensions: []string{".cc", ".cpp", ".cxx", ".c++", ".hh", ".hpp", ".hxx", ".h++", ".ipp", ".tpp", ".inl"},
			folders:    []string{"cpp", "clike"}, grammar: cpp.GetLanguage,
			rules: rules{exported: exportedByLinkage, localsToo: true},
		},
		{
			Name: "csharp", linguist: "C#", aliases: []string{"c#", "cs"}, Extensions: []string{".cs", ".csx"},
			grammar: csharp.GetLanguage,
			rules:   rules{exported: exportedInNamespaces, headers: curlyHeaders},
		},
		{
			Name: "css", linguist: "CSS", Extensions: []string{".css"}, grammar: css.GetLanguage,
			rules: rules{exported: exportedUnlessPrivate, rawNames: true},
		},
		{
			// Python's grammar reads what Python is of it, and the headers of lines tell the rest.
			Name: "cython", linguist: "Cython", aliases: []string{"pyx"}, Extensions: []string{".pyx", ".pxd", ".pxi"},
			folders: []string{"python"}, grammar: python.GetLanguage,
			rules: rules{
				headers: pythonHeaders, exported: exportedByUnderscore, receiverIsParameter: true, oncePerScope: true,
				decoratorsChangeArity: true, indentation: true, borrowed: true,
			},
		},
		{
			Name: "dockerfile", linguist: "Dockerfile", aliases: []string{"docker"}, Extensions: []string{".dockerfile", ".containerfile"},
			files:   []string{"dockerfile", "dockerfile.*", "containerfile", "containerfile.*"},
			grammar: dockerfile.GetLanguage,
			rules:   rules{exported: exportedUnlessPrivate},
		},
		{
			Name: "go", linguist: "Go", aliases: []string{"golang"}, Extensions: []string{".go"}, grammar: golang.GetLanguage,
			rules: rules{exported: exportedByUpperCase, test: goTest, dropBlank: true, headers: goHeaders},
		},
		{
			Name: "hcl", linguist: "HCL", aliases: []string{"terraform"}, Extensions: []string{".hcl", ".tf", ".tfvars", ".nomad"},
			grammar: hcl.GetLanguage,
			rules:   rules{exported: exportedUnlessPrivate},
		},
		{
			Name: "html", linguist: "HTML", Extensions: []string{".html", ".htm", ".xhtml"}, grammar: html.GetLanguage,
			rules: rules{exported: exportedUnlessPrivate},
		},
		{
			Name: "java", linguist: "Java", Extensions: []string{".java"}, grammar: java.GetLanguage,
			rules: rules{exported: exportedByModifier, headers: curlyHeaders},
		},
		{
			Name: "javascript", linguist: "JavaScript", aliases: []string{"js", "jsx"},
			Extensions:   []string{".js", ".jsx", ".mjs", ".cjs", ".es6"},
			interpreters: []string{"node", "nodejs", "bun"},
			folders:      []string{"javascript", "jsx", "ecmascript"}, grammar: javascript.GetLanguage,
			rules: rules{exported: exportedByStatement, headers: scriptHeaders},
		},
		{
			Name: "kotlin", linguist: "Kotlin", Extensions: []string{".kt", ".kts"}, grammar: kotlin.GetLanguage,
			rules: rules{exported: exportedUnlessPrivate, importsEnd: true, headers: kotlinHeaders},
		},
		{
			Name: "php", linguist: "PHP", Extensions: []string{".php", ".phtml", ".php3", ".php4", ".php5", ".php7", ".php8"},
			interpreters: []string{"php"}, grammar: php.GetLanguage,
			rules: rules{exported: exportedUnlessPrivate, test: phpunit, separator: `\`, rawNames: true, headers: phpHeaders,
				// PHP 5 left code there, and in PHP 7 it can't stand in any.
				codeEnds: "</script", codeBegins: "<?",
			},
		},
		{
			Name: "proto", linguist: "Protocol Buffer", aliases: []string{"protobuf", "protocol buffer"}, Extensions: []string{".proto"},
			grammar: protobuf.GetLanguage,
			rules:   rules{exported: exportedUnlessPrivate},
		},
		{
			Name: "python", linguist: "Python", aliases: []string{"py"}, Extensions: []string{".py", ".pyi", ".pyw"},
			interpreters: []string{"python", "pypy"}, grammar: python.GetLanguage,
			rules: rules{
				headers: pythonHeaders, exported: exportedByUnderscore, test: pytest, receiverIsParameter: true, oncePerScope: true,
				decoratorsChangeArity: true, indentation: true,
			},
		},
		{
			Name: "ruby", linguist: "Ruby", aliases: []string{"rb"},
			Extensions:   []string{".rb", ".rake", ".gemspec", ".ru", ".podspec", ".jbuilder", ".rbw"},
			files:        []string{"gemfile", "rakefile", "guardfile", "vagrantfile", "podfile", "fastfile", "brewfile", "capfile"},
			interpreters: []string{"ruby", "jruby", "rake"}, grammar: ruby.GetLanguage,
			rules: rules{exported: exportedUnlessPrivate, test: minitest, modulesHaveMethods: true, headers: rubyHeaders},
		},
		{
			Name: "rust", linguist: "Rust", aliases: []string{"rs"}, Extensions: []string{".rs"}, grammar: rust.GetLanguage,
			rules: rules{exported: exportedByModifier, test: rustTest, separator: "::", dropBlank: true, headers: rustHeaders},
		},
		{
			Name: "scala", linguist: "Scala", Extensions: []string{".scala", ".sc", ".sbt"}, interpreters: []string{"scala"},
			grammar: scala.GetLanguage,
			rules:   rules{exported: exportedUnlessPrivate, modulesHaveMethods: true, importsEnd: true, headers: scalaHeaders},
		},
		{
			Name: "sql", linguist: "SQL", Extensions: []string{".sql", ".ddl"}, grammar: sql.GetLanguage,
			rules: rules{exported: exportedUnlessPrivate},
		},
		{
			Name: "swift", linguist: "Swift", Extensions: []string{".swift"}, interpreters: []string{"swift"},
			grammar: swift.GetLanguage,
			rules:   rules{exported: exportedByModifier, test: xctest, headers: swiftHeaders},
		},
		{
			Name: "tsx", linguist: "TSX", Extensions: []string{".tsx"},
			folders: []string{"typescript", "jsx", "ecmascript"}, grammar: tsx.GetLanguage,
			rules: rules{exported: exportedByStatement, headers: scriptHeaders},
		},
		{
			Name: "typescript", linguist: "TypeScript", aliases: []string{"ts"}, Extensions: []string{".ts", ".mts", ".cts"},
			interpreters: []string{"deno", "ts-node", "tsx"},
			folders:      []string{"typescript", "ecmascript"}, grammar: typescript.GetLanguage,
			rules: rules{exported: exportedByStatement, headers: scriptHeaders},
		},
		{
			Name: "yaml", linguist: "YAML", aliases: []string{"yml"}, Extensions: []string{".yaml", ".yml"}, grammar: yaml.GetLanguage,
			rules: rules{exported: exportedUnlessPrivate, indentation: true},
		},
	}
}
