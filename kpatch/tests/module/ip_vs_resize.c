// SPDX-License-Identifier: GPL-2.0-only
/*
 * ip_vs_resize: an application helper for the tests, on TCP port 2121. It makes a server's segment
 * that begins with "grow" five bytes longer, and a client's that begins with "shrink" two bytes
 * shorter, and leaves it to ip_vs_app.c to mend the sequence numbers: no helper of the kernel does
 * that any more, since FTP's lengths are mended by nf_nat.
 */
#include <linux/module.h>
#include <linux/string.h>
#include <net/ip.h>
#include <net/ip_vs.h>
#include <net/tcp.h>

#define RESIZE_PORT 2121

static bool exiting;

/* Cuts or adds to the end of an IPv4 TCP segment that begins with @word. */
static int resize(struct sk_buff *skb, const struct ip_vs_iphdr *ipvsh, const char *word, int by,
		  int *diff)
{
	struct tcphdr *th;
	unsigned int header;
	struct iphdr *ip;

	*diff = 0;
	if (skb_ensure_writable(skb, skb->len))
		return 0;
	th = (struct tcphdr *)(skb->data + ipvsh->len);
	header = ipvsh->len + th->doff * 4;
	if (skb->len < header + strlen(word) || memcmp(skb->data + header, word, strlen(word)))
		return 1;

	if (by > 0) {
		if (skb_tailroom(skb) < by && pskb_expand_head(skb, 0, by, GFP_ATOMIC))
			return 0;
		memset(skb_put(skb, by), '+', by);
	} else {
		skb_trim(skb, skb->len + by);
	}

	ip = ip_hdr(skb);
	ip->tot_len = htons(skb->len);
	ip_send_check(ip);
	th = (struct tcphdr *)(skb->data + ipvsh->len);
	th->check = ~tcp_v4_check(skb->len - ipvsh->len, ip->saddr, ip->daddr, 0);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + ipvsh->len;
	skb->csum_offset = offsetof(struct tcphdr, check);
	*diff = by;
	return 1;
}

static int resize_out(struct ip_vs_app *app, struct ip_vs_conn *cp, struct sk_buff *skb, int *diff,
		      struct ip_vs_iphdr *ipvsh)
{
	return resize(skb, ipvsh, "grow", 5, diff);
}

static int resize_in(struct ip_vs_app *app, struct ip_vs_conn *cp, struct sk_buff *skb, int *diff,
		     struct ip_vs_iphdr *ipvsh)
{
	return resize(skb, ipvsh, "shrink", -2, diff);
}

static struct ip_vs_app resize_app = {
	.name = "resize",
	.type = IP_VS_APP_TYPE_FTP,
	.protocol = IPPROTO_TCP,
	.module = THIS_MODULE,
	.incs_list = LIST_HEAD_INIT(resize_app.incs_list),
	.pkt_out = resize_out,
	.pkt_in = resize_in,
};

static int __net_init resize_net_init(struct net *net)
{
	struct netns_ipvs *ipvs = net_ipvs(net);
	struct ip_vs_app *app;
	int err;

	if (!ipvs)
		return -ENOENT;
	app = register_ip_vs_app(ipvs, &resize_app);
	if (IS_ERR(app))
		return PTR_ERR(app);
	err = register_ip_vs_app_inc(ipvs, app, app->protocol, RESIZE_PORT);
	if (err)
		unregister_ip_vs_app(ipvs, &resize_app);
	return err;
}

/* A namespace that ends is cleaned by ip_vs itself. */
static void __net_exit resize_net_exit(struct net *net)
{
	struct netns_ipvs *ipvs = net_ipvs(net);

	if (ipvs && exiting)
		unregister_ip_vs_app(ipvs, &resize_app);
}

static struct pernet_operations resize_net_ops = {
	.init = resize_net_init,
	.exit = resize_net_exit,
};

static int __init resize_init(void)
{
	return register_pernet_subsys(&resize_net_ops);
}

static void __exit resize_exit(void)
{
	exiting = true;
	unregister_pernet_subsys(&resize_net_ops);
}

module_init(resize_init);
module_exit(resize_exit);
MODULE_DESCRIPTION("IPVS helper that changes lengths, for tests");
MODULE_LICENSE("GPL");
