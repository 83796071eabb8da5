//! From an attribute and its function to the function and its registration.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, FnArg, Item, ItemFn, Lit, LitStr, Meta, ReturnType, Type};

use crate::arguments::{Arguments, handler_name};
use crate::trigger::{Kind, NAMES, Trigger};

pub(crate) fn attribute(
    kind: Kind,
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    let item = TokenStream::from(item);
    // The item stays in any case, else one mistake here makes an error at every use of the function.
    let added = registration(kind, arguments.into(), item.clone()).unwrap_or_else(|error| error.into_compile_error());
    quote!(#item #added).into()
}

fn registration(kind: Kind, arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let arguments: Arguments = syn::parse2(arguments)?;
    let function = function(syn::parse2(item)?)?;
    let trigger = Trigger::read(kind, &arguments, Span::call_site())?;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => {
            let ident = &function.sig.ident;
            let name = ident.to_string().trim_start_matches("r#").replace('_', "-");
            handler_name(LitStr::new(&name, ident.span()))?
        }
    };
    let options = options(&arguments, &function.attrs);
    let run = run(&trigger, &function)?;
    let private = quote!(::hookbox_sdk::__private);
    Ok(quote! {
        #[doc(hidden)]
        const _: () = {
            #[allow(unused_imports, unused_qualifications)]
            #private::submit! {
                #private::Registration {
                    package: #private::Package {
                        name: ::core::env!("CARGO_PKG_NAME"),
                        version: ::core::env!("CARGO_PKG_VERSION"),
                        description: ::core::env!("CARGO_PKG_DESCRIPTION"),
                    },
                    handler: #private::Handler { name: #name, trigger: #trigger, options: &[#(#options),*] },
                    run: #run,
                    place: #private::Place { file: ::core::file!(), line: ::core::line!() },
                }
            }
        };
    })
}

/// The function, if it is one that the host can call.
fn function(item: Item) -> syn::Result<ItemFn> {
    let Item::Fn(function) = item else {
        return Err(syn::Error::new(first_token(&item), "a handler is a function; put the attribute on a `fn`"));
    };
    let signature = &function.sig;
    if let Some(token) = &signature.asyncness {
        let message = "a handler is an ordinary function; leave `async` out: calls to the host simply return";
        return Err(syn::Error::new(token.span(), message));
    }
    if let Some(token) = &signature.unsafety {
        return Err(syn::Error::new(token.span(), "a handler cannot be `unsafe`"));
    }
    if let Some(parameter) = signature.generics.params.first() {
        let message = "a handler has no generic parameters; name the types, and write lifetimes as `'_`";
        return Err(syn::Error::new(parameter.span(), message));
    }
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        return Err(syn::Error::new(receiver.span(), "a handler is a free function; it has no `self`"));
    }
    let another = function.attrs.iter().find(|attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|segment| NAMES.iter().any(|name| segment.ident == name))
    });
    if let Some(attribute) = another {
        let message = "a handler has one trigger; write a second function that calls this one";
        return Err(syn::Error::new(attribute.path().span(), message));
    }
    Ok(function)
}

fn first_token(item: &Item) -> Span {
    item.to_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}

/// Calls the function with each argument taken from the input. The types are
/// named, not inferred, and carry the spans of the signature, so an argument that
/// no handler can have is reported where it stands.
fn run(trigger: &Trigger, function: &ItemFn) -> syn::Result<TokenStream> {
    let ident = &function.sig.ident;
    let private = quote!(::hookbox_sdk::__private);
    let (variant, input) = match trigger.is_event() {
        true => (quote!(Event), quote!(::hookbox_sdk::Event)),
        false => (quote!(Job), quote!(::hookbox_sdk::Job)),
    };
    let mut arguments = Vec::new();
    for argument in &function.sig.inputs {
        let FnArg::Typed(argument) = argument else { continue };
        let kind = &*argument.ty;
        if let Type::ImplTrait(kind) = kind {
            return Err(syn::Error::new(
                kind.span(),
                "name the argument's type, such as `Json<T>`, `Event` or `Context`",
            ));
        }
        let span = generated_at(kind.span());
        arguments.push(quote_spanned!(span=> <#kind as #private::FromInput<'_, #input>>::from_input(context, input)?));
    }
    let reply = match &function.sig.output {
        ReturnType::Default => quote!(#private::IntoReply::into_reply),
        ReturnType::Type(_, kind) => {
            quote_spanned!(generated_at(kind.span())=> <#kind as #private::IntoReply>::into_reply)
        }
    };
    // Spanned like the arguments, else these names are not those.
    Ok(quote_spanned! {Span::mixed_site()=>
        #private::Run::#variant(|context, input| {
            let _ = (context, input);
            #reply(#ident(#(#arguments),*))
        })
    })
}

/// There, but known as generated: lints leave it alone.
fn generated_at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

fn options(arguments: &Arguments, attributes: &[Attribute]) -> Vec<TokenStream> {
    let description = arguments.description.clone().or_else(|| first_doc_line(attributes));
    let policy = arguments.policy.options().map(|(name, value)| quote!((#name, #value)));
    policy.chain(description.map(|description| quote!(("description", #description)))).collect()
}

fn first_doc_line(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let Meta::NameValue(meta) = &attribute.meta else { return None };
        let Expr::Lit(value) = &meta.value else { return None };
        let (true, Lit::Str(text)) = (meta.path.is_ident("doc"), &value.lit) else { return None };
        text.value().lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    })
}
