//! What the house rules look at in the files of `src`: taken from the syntax tree, tests left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, UseTree, Visibility};

use crate::pods::{files, of_repository};

/// A module by its path from the root of the crate: `["lint", "report"]`.
pub(super) type ModulePath = Vec<String>;

/// The files of `src` by their modules, without those that hold only tests.
pub(super) static SOURCE: LazyLock<BTreeMap<ModulePath, SourceFile>> = LazyLock::new(read);

/// A file of `src`.
#[derive(Debug, Default)]
pub(super) struct SourceFile {
    /// The path from the root of the repository.
    pub(super) name: String,
    /// The lines outside tests.
    pub(super) lines: usize,
    pub(super) comment_lines: usize,
    pub(super) doc_lines: usize,
    pub(super) has_header: bool,
    pub(super) functions: Vec<Function>,
    /// The structs, enums and traits.
    pub(super) types: Vec<String>,
    /// How many items can be seen from outside the crate's modules, and how many of those say what they are.
    pub(super) public: usize,
    pub(super) documented: usize,
    pub(super) imports: Vec<Import>,
    /// The paths in the code outside imports.
    pub(super) paths: BTreeSet<NamedPath>,
    /// The names of the items of the file itself.
    pub(super) items: BTreeSet<String>,
    /// The lines of tests, first and last.
    tests: Vec<(usize, usize)>,
    /// The modules in files of their own that are only built for tests.
    test_modules: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) lines: usize,
}

/// A name that a `use` brings into a file.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) path: NamedPath,
    /// What it is called here; `*` for all names of a module.
    pub(super) alias: String,
    /// Whether others may use it from here.
    pub(super) is_exported: bool,
}

/// A path as it is written, with `self` and `super` resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NamedPath {
    /// From the root of the crate.
    Absolute(Vec<String>),
    /// From a name that is known in the file, or from another crate.
    Relative(Vec<String>),
}

fn read() -> BTreeMap<ModulePath, SourceFile> {
    let source = of_repository("src");
    let mut read = BTreeMap::new();
    for path in files(&source, "rs") {
        let module = module_of(path.strip_prefix(&source).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        read.insert(module.clone(), SourceFile::read(super::show(&path), &text, module));
    }
    let of_tests: Vec<ModulePath> = read
        .iter()
        .flat_map(|(module, file)| {
            file.test_modules.iter().map(|name| [&module[..], std::slice::from_ref(name)].concat())
        })
        .collect();
    read.retain(|module, _| !of_tests.contains(module));
    read
}

/// `["lint", "report"]` for `lint/report/mod.rs` and `lint/report.rs`; empty for `lib.rs`.
fn module_of(path: &Path) -> ModulePath {
    let mut module: ModulePath =
        path.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
        module.pop();
    }
    module
}

impl SourceFile {
    pub(super) fn read(name: String, text: &str, module: ModulePath) -> Self {
        let tree = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut reader = SyntaxReader { module, inline: 0, file: Self { name, ..Self::default() } };
        reader.visit_file(&tree);
        let mut file = reader.file;
        file.has_header = text.starts_with("//! ");
        for (index, line) in text.lines().enumerate() {
            if file.tests.iter().any(|(first, last)| (*first..=*last).contains(&(index + 1))) {
                continue;
            }
            let line = line.trim_start();
            file.lines += 1;
            file.comment_lines += usize::from(line.starts_with("//"));
            file.doc_lines += usize::from(line.starts_with("///") || line.starts_with("//!"));
        }
        file
    }
}

/// Collects what is asked of a file while the syntax tree is walked.
struct SyntaxReader {
    /// The module that the walk is in: the file's, and inline ones within.
    module: ModulePath,
    /// How many of these are inline.
    inline: usize,
    file: SourceFile,
}

impl SyntaxReader {
    fn item(&mut self, name: &syn::Ident, visibility: &Visibility, attributes: &[Attribute]) {
        if self.inline == 0 {
            self.file.items.insert(name.to_string());
        }
        self.public(visibility, attributes);
    }

    fn public(&mut self, visibility: &Visibility, attributes: &[Attribute]) {
        if matches!(visibility, Visibility::Public(_)) {
            self.file.public += 1;
            self.file.documented +=
                usize::from(attributes.iter().any(|attribute| attribute.path().is_ident("doc")));
        }
    }

    fn function(&mut self, name: &syn::Ident, start: Span, end: Span) {
        let lines = end.end().line - start.start().line + 1;
        self.file.functions.push(Function { name: name.to_string(), lines });
    }

    /// Notes an item of tests, and says whether it is one.
    fn is_test(&mut self, attributes: &[Attribute], span: Span) -> bool {
        let is_test = attributes.iter().any(is_for_tests);
        if is_test {
            self.file.tests.push((span.start().line, span.end().line));
        }
        is_test
    }

    fn resolve(&self, path: &[String]) -> NamedPath {
        let mut from = self.module.clone();
        let mut rest = path;
        loop {
            match rest.first().map(String::as_str) {
                Some("crate") => from.clear(),
                Some("self") => {}
                Some("super") => {
                    from.pop();
                }
                // `self` alone is a value, and `super` alone says who may see something.
                Some(_) if rest.len() == path.len() => return NamedPath::Relative(path.to_vec()),
                None => return NamedPath::Relative(path.to_vec()),
                Some(_) => return NamedPath::Absolute([&from, rest].concat()),
            }
            rest = &rest[1..];
        }
    }

    fn import(&mut self, tree: &UseTree, before: &[String], is_exported: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let (path, alias) = match tree {
            UseTree::Path(path) => return self.import(&path.tree, &with(&path.ident), is_exported),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before, is_exported);
                }
                return;
            }
            UseTree::Glob(_) => (before.to_vec(), "*".to_owned()),
            UseTree::Rename(rename) => (with(&rename.ident), rename.rename.to_string()),
            UseTree::Name(name) if name.ident == "self" => (before.to_vec(), before.last().unwrap().clone()),
            UseTree::Name(name) => (with(&name.ident), name.ident.to_string()),
        };
        self.file.imports.push(Import { path: self.resolve(&path), alias, is_exported });
    }

    /// Takes the paths out of the tokens of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if path.is_empty() || colons == 2 => path.push(name.to_string()),
                TokenTree::Ident(name) => self.end_path(&mut path, Some(name.to_string())),
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.end_path(&mut path, None),
                TokenTree::Group(group) => {
                    self.end_path(&mut path, None);
                    self.tokens(group.stream());
                }
            }
            colons = 0;
        }
        self.end_path(&mut path, None);
    }

    fn end_path(&mut self, path: &mut Vec<String>, next: Option<String>) {
        let ended = std::mem::replace(path, next.into_iter().collect());
        if !ended.is_empty() {
            let resolved = self.resolve(&ended);
            self.file.paths.insert(resolved);
        }
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
}

impl<'ast> Visit<'ast> for SyntaxReader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        if self.is_test(&item.attrs, item.span()) {
            if item.content.is_none() {
                self.file.test_modules.push(name);
            }
            return;
        }
        if item.content.is_some() {
            self.item(&item.ident, &item.vis, &item.attrs);
            self.module.push(name);
            self.inline += 1;
            visit::visit_item_mod(self, item);
            self.inline -= 1;
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !self.is_test(&item.attrs, item.span()) {
            let is_exported = !matches!(item.vis, Visibility::Inherited);
            self.import(&item.tree, &[], is_exported);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !self.is_test(&item.attrs, item.span()) {
            self.item(&item.sig.ident, &item.vis, &item.attrs);
            self.function(&item.sig.ident, item.sig.span(), item.block.span());
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !self.is_test(&item.attrs, item.span()) {
            self.public(&item.vis, &item.attrs);
            self.function(&item.sig.ident, item.sig.span(), item.block.span());
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !self.is_test(&item.attrs, item.span()) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig.ident, item.sig.span(), block.span());
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.item(&item.ident, &item.vis, &item.attrs);
        self.file.types.push(item.ident.to_string());
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.item(&item.ident, &item.vis, &item.attrs);
        self.file.types.push(item.ident.to_string());
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.item(&item.ident, &item.vis, &item.attrs);
        self.file.types.push(item.ident.to_string());
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.item(&item.ident, &item.vis, &item.attrs);
        visit::visit_item_type(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.item(&item.ident, &item.vis, &item.attrs);
        visit::visit_item_const(self, item);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.item(&item.ident, &item.vis, &item.attrs);
        visit::visit_item_static(self, item);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if let Some(name) = &item.ident {
            self.file.items.insert(name.to_string());
        }
        visit::visit_item_macro(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let resolved = self.resolve(&names);
        self.file.paths.insert(resolved);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}
